// `culprit run --heap` and `culprit heap RECORDING`, on programs whose numbers are known.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>

#include "support/run_culprit.h"

namespace culprit::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Words under_heap(const Words& options, const Words& command) {
  Words words = {culprit_path(), "run", "--heap"};
  words.insert(words.end(), options.begin(), options.end());
  words.push_back("--");
  words.insert(words.end(), command.begin(), command.end());
  return words;
}

Json parsed(const std::string& text) { return Json::parse(text, nullptr, false); }

struct Recorded {
  Ran ran;
  Json report;
  uint64_t total(const char* what, const char* of) const { return report.at("totals").at(what).at(of); }
};

Recorded record(const Words& command, const Words& options = {}, const RunOptions& run_options = {}) {
  TemporaryFolder folder;
  Words all = {"--json", "--report", folder / "report"};
  all.insert(all.end(), options.begin(), options.end());
  Recorded recorded;
  recorded.ran = run(under_heap(all, command), run_options);
  recorded.report = parsed(contents(folder / "report"));
  return recorded;
}

Recorded record_way(const Words& way) {
  Words command = {program("allocation_victim")};
  command.insert(command.end(), way.begin(), way.end());
  return record(command);
}

struct Sum {
  uint64_t count = 0, bytes = 0, made = 0, temporary = 0;
  bool operator==(const Sum&) const = default;
};
void PrintTo(const Sum& sum, std::ostream* out) {
  *out << sum.count << " blocks, " << sum.bytes << " bytes left of " << sum.made << ", " << sum.temporary
       << " temporary";
}

// Of all stacks with that function.
Sum under(const Json& report, std::string_view function) {
  Sum sum;
  for (const Json& group : report.at("groups")) {
    if (!on_stack(group.at("stack"), function)) continue;
    sum.count += group.at("count").get<uint64_t>();
    sum.bytes += group.at("bytes").get<uint64_t>();
    sum.made += group.at("made").at("count").get<uint64_t>();
    sum.temporary += group.at("temporary").get<uint64_t>();
  }
  return sum;
}

TEST(HeapRecording, SeesEveryFunctionOfTheAllocator) {
  Recorded recorded = record_way({"ways"});
  ASSERT_EQ(recorded.ran.ending(), "exit 0") << recorded.ran.err;
  struct Way {
    const char* function;
    uint64_t size, made;
  };
  for (const Way& way : {Way{"ways_malloc", 101, 10},
                         {"ways_calloc", 102, 10},
                         {"ways_realloc", 103, 20},
                         {"ways_realloc_anew", 104, 10},
                         {"ways_reallocarray", 105, 10},
                         {"ways_memalign", 106, 10},
                         {"ways_aligned_alloc", 128, 10},
                         {"ways_posix_memalign", 108, 10},
                         {"ways_valloc", 109, 10},
                         {"ways_pvalloc", 110, 10},
                         {"ways_strdup", 27, 10},
                         {"ways_new", 111, 10},
                         {"ways_new_array", 112, 10},
                         {"ways_new_aligned", 128, 10},
                         {"ways_sized_free", 117, 16}}) {
    Sum sum = under(recorded.report, std::string("(anonymous namespace)::") + way.function);
    EXPECT_EQ(sum.count, 7u) << way.function;
    EXPECT_EQ(sum.bytes, 7 * way.size) << way.function;
    EXPECT_LE(sum.made, way.made) << way.function;  // what is not left may have stacks of its own
  }
  EXPECT_EQ(under(recorded.report, "(anonymous namespace)::ways_failing").bytes, 115u);
  EXPECT_TRUE(recorded.report.at("exact").get<bool>()) << recorded.report.at("losses");
}

TEST(HeapRecording, HasNothingOfTheAgentsOwnStart) {
  Recorded recorded = record_way({"message"});
  EXPECT_EQ(recorded.ran.out, "none") << "the program's loader knows nothing of what the agent did not find";
  for (const Json& group : recorded.report.at("groups"))
    for (const Json& frame : group.at("stack"))
      EXPECT_THAT(frame.at("function").get<std::string>(), Not(HasSubstr("culprit::agent"))) << group.dump(1);
  EXPECT_EQ(under(recorded.report, "(anonymous namespace)::small_for_good"), (Sum{1, 1500, 1, 0}));
  EXPECT_EQ(loss(recorded.report, "stack_truncated"), 0u) << "nor is a constructor's stack cut off";
  EXPECT_EQ(recorded.report.at("processes").at(0).at("unknown_releases"), 0);
}

TEST(HeapRecording, IsExactForEightThreadsAtFullSpeed) {
  constexpr uint64_t threads = 8, rounds = 160'000;
  Recorded recorded = record_way({"threads", "8", "160000"});
  ASSERT_EQ(recorded.ran.ending(), "exit 0") << recorded.ran.err;
  ASSERT_TRUE(recorded.report.at("exact").get<bool>()) << recorded.report.at("losses");
  Sum sum = under(recorded.report, "(anonymous namespace)::churn");
  EXPECT_EQ(sum.made, threads * rounds);
  EXPECT_EQ(sum.count, threads * rounds / 16);
  EXPECT_EQ(recorded.total("made", "count") - recorded.report.at("totals").at("released").get<uint64_t>(),
            recorded.total("outstanding", "count"));
}

// The program gives each path a size of its own.
void expect_one_size_a_stack(const Json& report, size_t stacks) {
  EXPECT_TRUE(report.at("exact").get<bool>()) << report.at("losses");
  size_t found = 0;
  for (const Json& group : report.at("groups")) {
    if (!on_stack(group.at("stack"), "(anonymous namespace)::allocate")) continue;
    ++found;
    EXPECT_EQ(group.at("smallest"), group.at("largest")) << group;
  }
  EXPECT_EQ(found, stacks);
}

TEST(HeapRecording, TellsPathsThatTakeTurnsApart) {
  for (const char* groups : {"1", "8"}) {
    Recorded recorded = record({program("allocation_paths"), "in-turn", "40000", groups});
    ASSERT_EQ(recorded.ran.ending(), "exit 0") << recorded.ran.err;
    expect_one_size_a_stack(recorded.report, 64 * static_cast<size_t>(groups[0] - '0'));
  }
}

TEST(HeapRecording, TellsRecursionsApart) {
  Recorded recorded = record({program("allocation_paths"), "shapes", "40000"});
  ASSERT_EQ(recorded.ran.ending(), "exit 0") << recorded.ran.err;
  expect_one_size_a_stack(recorded.report, 12 * 2);
}

TEST(HeapRecording, TellsLibrariesThatFollowEachOtherAtOneAddressApart) {
  Recorded recorded = record({program("allocation_paths"), "plugins", program("libcalling_plugin_one.so"),
                              program("libcalling_plugin_two.so")});
  ASSERT_EQ(recorded.ran.ending(), "exit 0") << recorded.ran.err;
  EXPECT_EQ(under(recorded.report, "plugin_one_calls"), (Sum{60, 60 * 1001, 60, 0}));
  EXPECT_EQ(under(recorded.report, "plugin_two_calls"), (Sum{60, 60 * 1002, 60, 0}));
}

// Some 17,000 blocks are in the sample: an estimate that is off by 5 % is off by six standard deviations.
TEST(HeapRecording, EstimatesFromASample) {
  const Words command = {program("allocation_victim"), "threads", "4", "320000"};
  Recorded whole = record(command), sampled = record(command, {"--sample", "16K"});
  ASSERT_EQ(sampled.ran.ending(), "exit 0") << sampled.ran.err;
  EXPECT_EQ(whole.report.at("sampled"), nullptr);
  EXPECT_EQ(sampled.report.at("sampled").at("every_bytes"), 16384);
  EXPECT_GT(sampled.report.at("sampled").at("blocks"), 10'000);
  EXPECT_FALSE(sampled.report.at("exact").get<bool>());
  EXPECT_EQ(partial_losses(sampled.report), 0u);
  for (const char* of : {"count", "bytes"}) {
    const auto made = static_cast<double>(whole.total("made", of));
    EXPECT_NEAR(static_cast<double>(sampled.total("made", of)), made, made * 0.05) << of;
    const auto left = static_cast<double>(whole.total("outstanding", of));
    EXPECT_NEAR(static_cast<double>(sampled.total("outstanding", of)), left, left * 0.25) << of;
  }
}

TEST(HeapRecording, SaysThatASampleIsOne) {
  TemporaryFolder folder;
  Words victim = {program("allocation_victim"), "threads", "2", "32000"};
  ASSERT_EQ(run(under_heap({"--sample", "16K", "-o", folder / "x.culprit"}, victim)).ending(), "exit 0");
  Ran asked = run({culprit_path(), "heap", folder / "x.culprit"});
  EXPECT_THAT(asked.out, HasSubstr("culprit: about "));
  EXPECT_THAT(asked.out, HasSubstr("sampled: estimates from "));
  EXPECT_THAT(asked.out, Not(HasSubstr("exact:")));
  EXPECT_THAT(asked.out, Not(HasSubstr("temporary")));
  Ran temporary = run({culprit_path(), "heap", folder / "x.culprit", "--temporary"});
  EXPECT_EQ(temporary.ending(), "exit 2");
  EXPECT_THAT(temporary.err, HasSubstr("sample"));
  Ran mappings = run({culprit_path(), "heap", folder / "x.culprit", "--mappings"});
  EXPECT_EQ(mappings.ending(), "exit 2");
  EXPECT_THAT(mappings.err, HasSubstr("sample"));
  EXPECT_THAT(asked.out, Not(HasSubstr("mapped beside the allocator")));
  EXPECT_EQ(run(under_heap({"--sample", "1"}, victim)).ending(), "exit 2");
  EXPECT_EQ(run(under_culprit({"--sample", "16K"}, {"/bin/true"})).ending(), "exit 2");
}

TEST(HeapRecording, TellsWhatGrows) {
  Recorded recorded = record({program("allocation_victim"), "grows"}, {"--outstanding"});
  const Json& worst = recorded.report.at("groups").at(0);
  EXPECT_TRUE(on_stack(worst.at("stack"), "(anonymous namespace)::leak_steadily"));
  EXPECT_EQ(worst.at("verdict"), "grows");
  EXPECT_EQ(worst.at("count"), 200);
  EXPECT_EQ(worst.at("bytes"), 200'000);
  EXPECT_GT(worst.at("bytes_per_second").get<double>(), 0);
  EXPECT_EQ(recorded.report.at("totals").at("growing_groups"), 1);
}

TEST(HeapRecording, FindsTemporaryBlocks) {
  TemporaryFolder folder;
  ASSERT_EQ(run(under_heap({"-o", folder / "x.culprit"}, {program("allocation_victim"), "temporary"})).ending(),
            "exit 0");
  Ran asked = run({culprit_path(), "heap", folder / "x.culprit", "--temporary", "--json"});
  ASSERT_EQ(asked.ending(), "exit 0") << asked.err;
  Json report = parsed(asked.out);
  EXPECT_EQ(under(report, "(anonymous namespace)::temporarily").temporary, 1000u);
  Sum others = under(report, "(anonymous namespace)::for_a_while");
  EXPECT_EQ(others.temporary, 500u);
}

TEST(HeapRecording, FollowsChildren) {
  Recorded recorded = record_way({"forks"});
  ASSERT_EQ(recorded.ran.ending(), "exit 0") << recorded.ran.err;
  EXPECT_EQ(under(recorded.report, "(anonymous namespace)::child_keeps"), (Sum{4, 12'000, 4, 0}));
  EXPECT_EQ(under(recorded.report, "(anonymous namespace)::parent_keeps"), (Sum{5, 10'000, 5, 0}));
  const Json& processes = recorded.report.at("processes");
  ASSERT_EQ(processes.size(), 3u);
  uint64_t inherited = 0, gone = 0;
  for (const Json& process : processes) {
    inherited += process.at("unknown_releases").get<uint64_t>();
    gone += process.at("gone_with_exec").at("bytes").get<uint64_t>();
  }
  EXPECT_EQ(inherited, 10u);
  EXPECT_EQ(gone, 6 * 3000u);
  EXPECT_TRUE(recorded.report.at("exact").get<bool>()) << recorded.report.at("losses");
}

TEST(HeapRecording, ShowsThePeak) {
  TemporaryFolder folder;
  ASSERT_EQ(run(under_heap({"-o", folder / "x.culprit"}, {program("allocation_victim"), "peak"})).ending(), "exit 0");
  Ran asked = run({culprit_path(), "heap", folder / "x.culprit", "--peak", "--json"});
  ASSERT_EQ(asked.ending(), "exit 0") << asked.err;
  Json report = parsed(asked.out);
  uint64_t large = 0, small = 0;
  for (const Json& group : report.at("groups")) {
    const uint64_t bytes = group.at("at_peak").at("bytes");
    if (on_stack(group.at("stack"), "(anonymous namespace)::large_for_a_while")) large += bytes;
    if (on_stack(group.at("stack"), "(anonymous namespace)::small_for_good")) small += bytes;
  }
  EXPECT_EQ(large, 2'000'000u);
  EXPECT_EQ(small, 15'000u);
  Ran told = run({culprit_path(), "heap", folder / "x.culprit", "--peak"});
  EXPECT_THAT(told.out, HasSubstr("culprit: at most"));
  EXPECT_THAT(told.out, HasSubstr("large_for_a_while"));
  Json by_size = parsed(run({culprit_path(), "heap", folder / "x.culprit", "--by", "size", "--json"}).out);
  auto of_size = std::ranges::find_if(by_size.at("groups"), [](const Json& group) { return group.at("size") == 1500; });
  ASSERT_NE(of_size, by_size.at("groups").end());
  EXPECT_EQ(of_size->at("count"), 20);
}

TEST(HeapRecording, FailsOnWhatIsLeftWhereAskedTo) {
  Words victim = {program("allocation_victim"), "grows"};
  EXPECT_EQ(run(under_heap({"--fail-on-leak", "--outstanding"}, victim)).ending(), "exit 1");
  EXPECT_EQ(run(under_heap({}, {program("allocation_victim")})).ending(), "exit 2");  // the program's own status
  EXPECT_EQ(run(under_heap({"--fail-on-leak"}, victim)).ending(), "exit 1");          // nothing points there any more
  EXPECT_EQ(run(under_heap({"--fail-on-leak"}, {program("allocation_victim"), "temporary"})).ending(), "exit 0");
}

TEST(HeapRecording, SaysWhatItCannotDo) {
  Ran fixed = run(under_heap({}, {program("static_program")}));
  EXPECT_EQ(fixed.ending(), "exit 2");
  EXPECT_THAT(fixed.err, HasSubstr("agent"));
  TemporaryFolder folder;
  run(under_culprit({"-o", folder / "x.culprit"}, {"/bin/true"}));
  Ran other = run({culprit_path(), "heap", folder / "x.culprit"});
  EXPECT_EQ(other.ending(), "exit 2");
  EXPECT_THAT(other.err, HasSubstr("no allocations"));
}

TEST(HeapRecording, FollowsAnAllocatorOfTheProgramsOwn) {
  Recorded recorded = record({program("own_allocator")});
  EXPECT_EQ(recorded.ran.ending(), "exit 0") << recorded.ran.err;
  EXPECT_EQ(recorded.ran.out, "allocated by itself\n");
  EXPECT_TRUE(recorded.report.at("exact").get<bool>()) << recorded.report.at("losses");
  EXPECT_EQ(under(recorded.report, "main"), (Sum{1, 21, 1, 0}));
}

TEST(HeapRecording, SaysThatAnAllocatorItCannotGetInFrontOfIsNotSeen) {
  Recorded recorded = record({program("own_allocator_apart")});
  EXPECT_EQ(recorded.ran.ending(), "exit 0") << recorded.ran.err;
  EXPECT_EQ(recorded.ran.out, "allocated by itself\n");
  EXPECT_EQ(loss(recorded.report, "process_not_followed"), 1u);
  EXPECT_FALSE(recorded.report.at("exact").get<bool>());
}

// What allocates_in_turn makes, whoever gives it its memory.
void expect_all_in_turn(const Recorded& recorded) {
  ASSERT_EQ(recorded.ran.ending(), "exit 0") << recorded.ran.err;
  EXPECT_EQ(recorded.ran.out, "done\n");
  EXPECT_EQ(recorded.ran.err, "");
  EXPECT_TRUE(recorded.report.at("exact").get<bool>()) << recorded.report.at("losses");
  struct Way {
    const char* function;
    uint64_t size, made;
  };
  for (const Way& way : {Way{"by_malloc", 501, 1000},
                         {"by_calloc", 502, 1000},
                         {"by_realloc", 503, 1000},
                         {"by_posix_memalign", 504, 1000},
                         {"by_new", 505, 1000},
                         {"by_new_array", 506, 1000},
                         {"by_quiet_new", 507, 1000},
                         {"by_aligned_new", 512, 1000}}) {
    Sum sum = under(recorded.report, std::string("(anonymous namespace)::") + way.function);
    EXPECT_EQ(sum.count, 300u) << way.function;
    EXPECT_EQ(sum.bytes, 300 * way.size) << way.function;
    EXPECT_EQ(sum.made, way.made) << way.function;
  }
}

std::string library(const std::string& name) {
  for (const char* folder : {"/usr/lib/x86_64-linux-gnu/", "/usr/lib64/", "/usr/lib/"})
    if (access((folder + name).c_str(), R_OK) == 0) return folder + name;
  return {};
}

TEST(HeapRecording, IsExactWithEveryAllocatorThatIsPreloaded) {
  expect_all_in_turn(record({program("allocates_in_turn"), "failing"}));
  for (const char* name : {"libjemalloc.so.2", "libtcmalloc_minimal.so.4", "libmimalloc.so.2.0"}) {
    SCOPED_TRACE(name);
    if (library(name).empty()) {
      std::cerr << name << " is not installed: not tried\n";
      continue;
    }
    Words command = {program("allocates_in_turn")};
    if (std::string_view(name).find("mimalloc") == std::string_view::npos) command.push_back("failing");
    expect_all_in_turn(record(command, {}, {.environment = {"LD_PRELOAD=" + library(name)}}));
  }
}

TEST(HeapRecording, IsExactWithAnAllocatorLinkedIntoTheProgram) {
  if (access(program("allocates_by_jemalloc").c_str(), X_OK) != 0) GTEST_SKIP() << "libjemalloc.a is not installed";
  expect_all_in_turn(record({program("allocates_by_jemalloc"), "failing"}));
}

TEST(HeapRecording, LeavesHandlesInTheRecording) {
  TemporaryFolder folder;
  ASSERT_EQ(run(under_heap({"-o", folder / "x.culprit"}, {program("leaky_handles")})).ending(), "exit 0");
  Ran asked = run({culprit_path(), "handles", folder / "x.culprit"});
  EXPECT_THAT(asked.out, HasSubstr("fun4"));
}

// The same output and exit status as without culprit.
void expect_unchanged(const Words& command) {
  Ran native = run(command), watched;
  Recorded recorded = record(command);
  watched = recorded.ran;
  EXPECT_EQ(watched.ending(), native.ending()) << watched.err;
  EXPECT_EQ(watched.out, native.out);
  EXPECT_EQ(watched.err, native.err);
  ASSERT_FALSE(recorded.report.is_discarded());
  EXPECT_TRUE(recorded.report.at("exact").get<bool>()) << recorded.report.at("losses");
  EXPECT_GT(recorded.total("made", "count"), 100u);
  EXPECT_EQ(
      recorded.total("made", "count") - recorded.report.at("totals").at("released").get<uint64_t>(),
      recorded.total("outstanding", "count") + [&] {
        uint64_t gone = 0;
        for (const Json& process : recorded.report.at("processes"))
          gone += process.at("gone_with_exec").at("count").get<uint64_t>();
        return gone;
      }());
}

// Eight clients at a time, each answered by a thread of its own.
constexpr auto threaded_server = R"(
import http.server, threading, urllib.request
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = (self.path * 500).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *words): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
threading.Thread(target=server.serve_forever, daemon=True).start()
sizes = []
def ask(number):
    for i in range(20):
        url = f"http://127.0.0.1:{server.server_port}/{number}/{i}"
        sizes.append(len(urllib.request.urlopen(url).read()))
clients = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
for client in clients: client.start()
for client in clients: client.join()
server.shutdown()
print(len(sizes), sum(sizes))
)";
constexpr auto unit = R"(
#include <map>
#include <string>
int count(const std::map<std::string, int>& of) {
  int sum = 0;
  for (const auto& [name, number] : of) sum += number + static_cast<int>(name.size());
  return sum;
}
)";

TEST(HeapRecording, LeavesRealProgramsAsTheyAre) {
  struct Program {
    const char* name;
    Words arguments;
  };
  TemporaryFolder folder;
  write_file(folder / "unit.cc", unit);
  for (const Program& row :
       {Program{"python3", {"-c", "import json,re; print(json.dumps({'a': [1, 2, 3]}))"}},
        {"python3", {"-c", threaded_server}},
        {"sqlite3", {":memory:", "create table t(a); insert into t values (1),(2); select sum(a) from t;"}},
        {"node", {"-e", "console.log([1, 2, 3].map(x => x * 2))"}},
        {"clang++-16", {"-std=c++20", "-O2", "-S", "-o", "-", folder / "unit.cc"}},
        {"clang-16", {"-x", "c", "-fsyntax-only", "/dev/null"}}}) {
    if (tool(row.name).empty()) {
      std::cerr << row.name << " is not installed: not tried\n";
      continue;
    }
    SCOPED_TRACE(row.name);
    Words command = {tool(row.name)};
    command.insert(command.end(), row.arguments.begin(), row.arguments.end());
    expect_unchanged(command);
  }
}

}  // namespace
}  // namespace culprit::test
