// More than 60 ways to make a handle: culprit's table against the program's own.
#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>
#include <map>
#include <set>
#include <sstream>

#include "support/run_culprit.h"

namespace culprit::test {
namespace {

struct Truth {
  struct Handle {
    uint64_t inode = 0;
    std::string link;
  };
  struct Origin {
    std::string way;
    bool libc = false;
  };
  std::map<int64_t, Handle> table;
  std::map<int64_t, Origin> origins;
  std::set<std::string> passing, skipped;
};

Truth read_truth(const std::string& path) {
  Truth truth;
  std::istringstream lines(contents(path));
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string kind, name, origin;
    int64_t value = 0;
    words >> kind;
    if (kind == "fd") {
      Truth::Handle handle;
      words >> value >> handle.inode;
      std::getline(words >> std::ws, handle.link);
      truth.table[value] = handle;
    } else if (kind == "way") {
      words >> name >> origin >> value;
      truth.origins[value] = {name, origin == "libc"};
    } else if (kind == "passing") {
      words >> name, truth.passing.insert(name);
    } else if (kind == "skip") {
      truth.skipped.insert(line.substr(5));
    }
  }
  return truth;
}

// What /proc/PID/fd says a handle is -> what culprit may call it.
struct TypeRow {
  std::string_view link_prefix;
  std::set<std::string> types;
};
const TypeRow type_rows[] = {
    {"socket:[", {"socket"}},
    {"pipe:[", {"pipe"}},
    {"anon_inode:[eventfd]", {"eventfd"}},
    {"anon_inode:[eventpoll]", {"epoll"}},
    {"anon_inode:[timerfd]", {"timerfd"}},
    {"anon_inode:[signalfd]", {"signalfd"}},
    {"anon_inode:inotify", {"inotify"}},
    {"anon_inode:[fanotify]", {"fanotify"}},
    {"anon_inode:[pidfd]", {"pidfd"}},
    {"anon_inode:[fscontext]", {"mount"}},
    {"anon_inode:bpf-map", {"bpf"}},
    {"anon_inode:[perf_event]", {"perf event"}},
    {"anon_inode:[userfaultfd]", {"userfaultfd"}},
    {"anon_inode:[io_uring]", {"io_uring"}},
    {"anon_inode:[landlock-ruleset]", {"landlock"}},
    {"anon_inode:seccomp notify", {"seccomp"}},
    {"/memfd:", {"memfd"}},
    {"user:[", {"namespace"}},
    {"net:[", {"namespace"}},
    {"/dev/null", {"device"}},
    {"/dev/zero", {"device"}},
    {"/dev/full", {"device"}},
    {"/dev/ptmx", {"terminal"}},
    {"/dev/pts/", {"terminal"}},
    {"/etc/passwd", {"file"}},
    {"/etc/group", {"file"}},
};

// The function of the way itself, or a lambda in it that ran in a thread: "way_x::{lambda()#1}::operator()() const".
bool leads_to_way(const Json& stack, const std::string& way) {
  return on_stack(stack, "way_" + way) || std::ranges::any_of(stack, [&](const Json& frame) {
           return frame.at("function").get_ref<const std::string&>().find("way_" + way + "::") != std::string::npos;
         });
}

class EveryWay : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    TemporaryFolder folder;
    watched_ = watch({program("every_way"), folder / "truth"});
    truth_ = read_truth(folder / "truth");
    if (!watched_.report.empty()) open_ = left_open(watched_.report, launched_pid(watched_.report));
    for (const std::string& way : truth_.skipped) std::cout << "not available here: " << way << "\n";
  }
  void SetUp() override {
    ASSERT_EQ(watched_.ran.ending(), "exit 0") << watched_.ran.err;
    ASSERT_FALSE(open_.empty());
  }

  static inline Watched watched_;
  static inline Truth truth_;
  static inline std::map<int64_t, Json> open_;
};

TEST_F(EveryWay, IsTriedByTheProgramMoreThanSixtyTimes) {
  std::set<std::string> ways = truth_.passing;
  for (const auto& [value, origin] : truth_.origins) ways.insert(origin.way);
  EXPECT_GT(ways.size(), 60u);
}

TEST_F(EveryWay, EndsWithTheTableThatProcFdShows) {
  std::set<int64_t> real, seen;
  for (const auto& [value, handle] : truth_.table) real.insert(value);
  for (const auto& [value, handle] : open_) seen.insert(value);
  EXPECT_EQ(seen, real);
}

TEST_F(EveryWay, KnowsTheInodeOfEachHandle) {
  for (const auto& [value, handle] : open_) {
    auto real = truth_.table.find(value);
    // All anonymous inodes of a machine are one: its number says nothing.
    if (real == truth_.table.end() || real->second.link.starts_with("anon_inode:")) continue;
    EXPECT_EQ(handle.at("inode").get<uint64_t>(), real->second.inode) << value << " " << real->second.link;
  }
}

TEST_F(EveryWay, KnowsTheTypeOfEachHandle) {
  for (const auto& [value, real] : truth_.table) {
    auto handle = open_.find(value);
    if (handle == open_.end()) continue;
    for (const TypeRow& row : type_rows) {
      if (!real.link.starts_with(row.link_prefix)) continue;
      EXPECT_TRUE(row.types.contains(handle->second.at("type").get<std::string>()))
          << value << " is " << real.link << ", not " << handle->second.at("type");
    }
  }
}

TEST_F(EveryWay, ThroughLibcHasItsFunctionOnTheCreatingStack) {
  for (const auto& [value, origin] : truth_.origins) {
    if (!origin.libc || !open_.contains(value)) continue;
    const Json& handle = open_.at(value);
    EXPECT_TRUE(leads_to_way(creating_stack(watched_.report, handle), origin.way))
        << origin.way << " made " << value << ", which culprit says came by " << handle.at("how_created") << " "
        << handle.at("created_call");
  }
}

TEST_F(EveryWay, OutsideOfLibcIsOfUnknownOriginToTheAgentAndCounted) {
  if (back_end() != "agent") GTEST_SKIP() << "is about the agent";
  uint64_t unseen = 0;
  for (const auto& [value, origin] : truth_.origins) {
    if (origin.libc || !open_.contains(value)) continue;
    unseen++;
    EXPECT_EQ(open_.at(value).at("how_created"), "unknown_origin") << origin.way << " made " << value;
  }
  EXPECT_EQ(loss(watched_.report, "unknown_origin"), unseen);
  EXPECT_FALSE(watched_.report.at("exact").get<bool>());
}

TEST_F(EveryWay, IsSeenFromOutsideWhoeverMakesTheCall) {
  if (back_end() == "agent") GTEST_SKIP() << "is not about the agent";
  for (const auto& [value, origin] : truth_.origins) {
    if (origin.libc || !open_.contains(value)) continue;
    EXPECT_NE(open_.at(value).at("how_created"), "unknown_origin") << origin.way << " made " << value;
    EXPECT_TRUE(leads_to_way(creating_stack(watched_.report, open_.at(value)), origin.way)) << origin.way;
  }
  EXPECT_EQ(loss(watched_.report, "unknown_origin"), 0u);
  EXPECT_TRUE(watched_.report.at("exact").get<bool>());
}

TEST_F(EveryWay, InsideOfLibcIsSeenThoughNobodyCalledOpen) {
  for (const std::string& way : truth_.passing) {
    Made made = made_under(watched_.report, "way_" + way);
    EXPECT_GT(made.created, 0u) << way;
    EXPECT_EQ(made.created, made.closed) << way;
  }
}

TEST_F(EveryWay, NeverVanishesFromTheTable) { EXPECT_EQ(loss(watched_.report, "vanished_handle"), 0u); }

}  // namespace
}  // namespace culprit::test
