// What a program maps beside its allocator, under `culprit run --heap`: numbers known beforehand.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/run_culprit.h"

namespace culprit::test {
namespace {

using ::testing::HasSubstr;

constexpr uint64_t page = 4096;

struct Mapped {
  Ran ran;
  Json report;

  struct Sum {
    uint64_t left = 0, bytes = 0, made = 0;
    std::string kinds;
    bool operator==(const Sum&) const = default;
    friend void PrintTo(const Sum& sum, std::ostream* out) {
      *out << sum.left << " left, " << sum.bytes / page << " pages, of " << sum.made << ": " << sum.kinds;
    }
  };
  // Of all stacks with that function.
  Sum under(std::string_view function) const {
    Sum sum;
    for (const Json& group : report.at("groups")) {
      if (!on_stack(group.at("stack"), "(anonymous namespace)::" + std::string(function)) &&
          !on_stack(group.at("stack"), function))
        continue;
      sum.left += group.at("count").get<uint64_t>();
      sum.bytes += group.at("bytes").get<uint64_t>();
      sum.made += group.at("made").at("count").get<uint64_t>();
      if (const std::string kind = group.at("mapping"); sum.kinds.find(kind) == std::string::npos)
        sum.kinds += (sum.kinds.empty() ? "" : ", ") + kind;
    }
    return sum;
  }
};

Json asked(const std::string& recording, const Words& options) {
  Words words{culprit_path(), "heap", recording, "--json"};
  words.insert(words.end(), options.begin(), options.end());
  Ran ran = run(words);
  EXPECT_EQ(ran.ending(), "exit 0") << ran.err;
  return Json::parse(ran.out, nullptr, false);
}

// All that was ever mapped, whether it is left or not.
Mapped record(const Words& way, const Words& question = {"--mappings"}) {
  TemporaryFolder folder;
  Words words{culprit_path(),           "run",      "--heap",          "-o",
              folder / "x.culprit",     "--report", folder / "report", "--",
              program("mapping_victim")};
  words.insert(words.end(), way.begin(), way.end());
  Mapped mapped{run(words), {}};
  EXPECT_EQ(mapped.ran.ending(), "exit 0") << mapped.ran.err;
  mapped.report = asked(folder / "x.culprit", question);
  EXPECT_TRUE(mapped.report.at("exact").get<bool>()) << mapped.report.at("losses");
  return mapped;
}

using Sum = Mapped::Sum;

TEST(Mappings, OfEveryWayAreTold) {
  Mapped mapped = record({"ways"});
  struct Way {
    const char* function;
    Sum expected;
  };
  for (const Way& way : {Way{"ways_mmap", {8, 22 * page, 8, "anonymous"}},
                         {"ways_shared", {1, 2 * page, 1, "shared"}},
                         {"ways_file", {2, 2 * page, 2, "file"}},
                         {"ways_stack", {1, 16 * page, 1, "thread stack"}},
                         {"ways_partial", {1, 6 * page, 1, "anonymous"}},
                         {"ways_under", {1, 5 * page, 1, "anonymous"}},
                         {"ways_over", {1, 3 * page, 1, "anonymous"}},
                         {"ways_grow", {1, 5 * page, 1, "anonymous"}},
                         {"ways_shrink", {1, 2 * page, 1, "anonymous"}},
                         {"ways_move", {1, 4 * page, 1, "anonymous"}},
                         {"ways_room", {1, 2 * page, 1, "anonymous"}},
                         {"ways_break", {1, 3 * page, 1, "break"}},
                         {"ways_in_pieces", {}},
                         {"ways_refused", {}},
                         {"ways_malloc", {}}}) {
    EXPECT_EQ(mapped.under(way.function), way.expected) << way.function;
  }
  // What is not left any more is there at its peak.
  Mapped peak = record({"ways"}, {"--mappings", "--over-time"});
  EXPECT_EQ(peak.under("ways_in_pieces").made, 1u);
  EXPECT_EQ(peak.under("ways_malloc").made, 0u) << "that is the allocator's";
}

TEST(Mappings, AreSummedUpBesideTheBlocks) {
  Mapped blocks = record({"ways"}, {});
  Mapped mapped = record({"ways"});
  EXPECT_EQ(blocks.report.at("mappings").at("outstanding").at("bytes"),
            mapped.report.at("totals").at("outstanding").at("bytes"));
  EXPECT_EQ(blocks.report.at("memory"), "blocks");
  EXPECT_EQ(mapped.report.at("memory"), "mappings");
  TemporaryFolder folder;
  Ran ran =
      run({culprit_path(), "run", "--heap", "--report", folder / "report", "--", program("mapping_victim"), "ways"});
  EXPECT_THAT(contents(folder / "report"), HasSubstr("mapped beside the allocator: "));
}

// What eight threads have left of all that they mapped and unmapped is what the kernel says that it has become more.
TEST(Mappings, OfThreadsAtFullSpeedAreWhatTheKernelSays) {
  Mapped mapped = record({"threads", "8", "20000"});
  const uint64_t grown = std::stoull(mapped.ran.out);
  const Sum work = mapped.under("at_full_speed"), stacks = mapped.under("threads");
  EXPECT_GT(work.left, 8 * 300u);
  EXPECT_EQ(work.bytes + stacks.bytes, grown);
  EXPECT_EQ(stacks.kinds, "thread stack");
}

TEST(Mappings, EndWithExec) {
  Mapped mapped = record({"executes"});
  EXPECT_EQ(mapped.under("kept_before_exec"), Sum{});
  EXPECT_GE(mapped.report.at("processes").at(0).at("gone_with_exec").at("bytes"), 9 * page);
}

TEST(Mappings, OfAChildAreThoseItMadeItself) {
  Mapped mapped = record({"forks"});
  EXPECT_EQ(mapped.under("kept_by_parent"), (Sum{1, 11 * page, 1, "anonymous"}));
  EXPECT_EQ(mapped.under("kept_by_child"), (Sum{1, 12 * page, 1, "anonymous"}));
}

TEST(Mappings, OfTheBreakAreToldBehindASeccompFilter) {
  EXPECT_EQ(record({"restricted"}).under("ways_break"), (Sum{1, 3 * page, 1, "break"}));
}

TEST(Mappings, AreAskedOfARecordingOnly) {
  Ran ran = run({culprit_path(), "heap", std::to_string(getpid()), "--mappings"});
  EXPECT_EQ(ran.ending(), "exit 2");
  EXPECT_THAT(ran.err, HasSubstr("--mappings is asked of a recording"));
}

}  // namespace
}  // namespace culprit::test
