// The page about each way to die: cause, function and line, in each way to build a program.
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/resource.h>

#include <filesystem>
#include <fstream>

#include "support/crash_pages.h"
#include "support/kernel_core.h"
#include "support/run_culprit.h"

namespace culprit::test {
namespace {

using ::testing::AnyOf;
using ::testing::ContainsRegex;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

struct Death {
  const char* way;
  const char* cause;
  const char* function;
  bool has_line = true;  // the line with the comment "dies: way"
  const char* said = "";
};
void PrintTo(const Death& death, std::ostream* out) { *out << death.way; }
constexpr Death deaths[] = {
    {"null_read", "null_read", "Checkout::where", true,
     "Read through a null pointer: `cart->position.y` (offset 40 of a null `const Cart*`)"},
    {"null_write", "null_write", "Checkout::add", true,
     "Wrote through a null pointer: `cart->total` (offset 24 of a null `Cart*`)"},
    {"null_call", "null_call", "null_call", true, "Called a null function pointer: `callback`"},
    {"null_virtual", "null_read", "null_virtual", true,
     "the virtual table of `*shape` (`shape` is a null `const Shape*`)"},
    {"null_in_library", "null_*", "null_in_library", true, "null pointer: `text`"},
    {"wild_read", "wild_read", "wild_read", true, "where nothing is mapped: `*number`"},
    {"wild_write", "wild_write", "wild_write"},
    {"non_canonical", "non-canonical_address", "non_canonical"},
    {"bad_jump", "bad_jump", "bad_jump"},
    {"non_canonical_jump", "bad_jump", "non_canonical_jump"},
    {"data_execution", "data_execution", "data_execution"},
    {"read_only_write", "read-only_write", "read_only_write"},
    {"recursion", "stack_overflow", "go_on", false, "recursion, "},
    {"thread_recursion", "stack_overflow", "go_on", false, "recursion, "},
    {"huge_frame", "stack_overflow", "huge_frame", true, "one call needs 67.1 MB of it"},
    {"double_free", "double_free", "double_free"},
    {"invalid_free", "invalid_free", "invalid_free"},
    {"heap_overrun", "heap_overrun", "heap_overrun", true, "A block of 24 B on the heap was written beyond its end"},
    {"use_after_free", "use_after_free", "use_after_free", true, "Used a freed block of 24 B on the heap"},
    {"abort", "abort", "plain_abort"},
    {"assert", "assertion", "assertion", true, "The assertion `size == 4 && \"sizes differ\"` failed"},
    {"exception", "uncaught_exception", "parse", true, "std::runtime_error, \"cannot parse \"ab:cd\"\""},
    {"derived_exception", "uncaught_exception", "derived_exception", true, "OrderError, \"no such order\""},
    {"plain_exception", "uncaught_exception", "plain_exception", true, "nobody catches: (anonymous namespace)::Plain"},
    {"noexcept_exception", "uncaught_exception", "throws", false, "std::out_of_range, \"index 7\""},
    {"noexcept_inside_try", "uncaught_exception", "throws", false,
     "through the noexcept function (anonymous namespace)::quiet: std::out_of_range, \"index 7\""},
    {"noexcept_unwound", "uncaught_exception", "noexcept_unwound", true, "std::out_of_range, \"index 7\""},
    {"own_terminate", "uncaught_exception", "own_terminate", true, "std::runtime_error, \"too late\""},
    {"fault_in_terminate", "wild_write", "fail_in_terminate"},
    {"terminate", "terminate", "terminate"},
    {"joinable", "terminate", "joinable", true, "neither joined nor detached"},
    {"pure_virtual", "pure_virtual_call", "Base::call"},
    {"stack_smash", "stack_smashing", "stack_smash"},
    {"trap", "trap", "trap"},
    {"breakpoint", "breakpoint", "breakpoint"},
    {"illegal", "illegal_instruction", "illegal"},
    {"privileged", "privileged_instruction", "privileged", true, "Executed a privileged instruction"},
    {"no_instruction", "illegal_instruction", "no_instruction", false, "bytes that are no instruction"},
    {"divide_by_zero", "division_by_zero", "divide_by_zero", true, "by zero: `zero`"},
    {"divide_overflow", "division_overflow", "divide_overflow"},
    {"truncated_file", "truncated_file", "truncated_file", true, "/tmp/crash_victim-"},
    {"refused_call", "refused_system_call", "refused_call", true, "Made the system call getppid"},
    {"raised", "raised_signal", "raised", true, "Sent SIGSEGV to itself"},
    {"closed_read", "protected_access", "closed_read", true, "Read where it may not"},
    {"closed_write", "protected_access", "closed_write", true, "Wrote where it may not"},
    {"closed_call", "data_execution", "closed_call"},
    {"misaligned", "misaligned_access", "misaligned", true, "not aligned to 16 bytes"},
    {"in_handler", "null_read", "in_handler", true, "Read through a near-null pointer"},
    {"fault_in_handler", "wild_write", "handle_by_fault"},
    {"raised_again", "null_write", "raised_again", true, "Wrote through a null pointer"},
    {"raised_in_handler", "division_by_zero", "raised_in_handler", true, "Divided an integer by zero"},
    {"raised_elsewhere", "raised_signal", "raised_elsewhere", true, "Died of SIGSEGV from its own process"},
    {"hang", "hang", "lock_both", true, "2 threads wait for each other"},
};
constexpr const char* variants[] = {"crash_victim",        "crash_victim_O0",        "crash_victim_plain",
                                    "crash_victim_no_pie", "crash_victim_O0_no_pie", "crash_victim_no_plt"};

uint32_t line_of(const std::string& way) {
  std::ifstream source(CULPRIT_CRASH_SOURCE);
  uint32_t number = 0;
  for (std::string line; std::getline(source, line);) {
    ++number;
    if (line.ends_with("// dies: " + way)) return number;
  }
  ADD_FAILURE() << "no line dies of " << way;
  return 0;
}

void expect_page(const Json& page, const Death& death) {
  std::string expected = death.cause, cause = page.at("cause");
  if (expected.ends_with('*')) {
    EXPECT_THAT(cause, ::testing::StartsWith(expected.substr(0, expected.size() - 1)));
  } else {
    EXPECT_EQ(cause, expected);
  }
  ASSERT_FALSE(page.at("blamed").is_null()) << page.dump(1);
  const Json& frame = page.at("stack").at(page.at("blamed").get<size_t>());
  EXPECT_THAT(function_of(frame), EndsWith(death.function)) << page.at("sentence");
  if (death.has_line) {
    EXPECT_EQ(frame.at("line").get<uint32_t>(), line_of(death.way)) << page.at("sentence");
  }
  EXPECT_THAT(page.at("what").get<std::string>(), HasSubstr(death.said));
  EXPECT_THAT(page.at("bucket").get<std::string>(), HasSubstr("!"));
}

class Deaths : public ::testing::TestWithParam<Death> {
 protected:
  void SetUp() override {
    if (!kernel_leaves_cores()) GTEST_SKIP() << "the kernel writes no plain core files here";
  }
};

TEST_P(Deaths, AreNamedWithFunctionAndLineHoweverTheProgramWasBuilt) {
  for (const char* variant : variants) {
    SCOPED_TRACE(variant);
    TemporaryFolder folder;
    std::string core = core_of({program(variant), GetParam().way}, folder);
    ASSERT_NE(core, "");
    expect_page(page_of(core), GetParam());
  }
}

// Functions and lines come from the debug file, which its build id finds.
TEST_P(Deaths, AreNamedForStrippedProgramsWithADebugFile) {
  std::string objcopy = tool("objcopy"), strip = tool("strip");
  if (objcopy.empty() || strip.empty()) GTEST_SKIP() << "binutils are not installed";
  for (const char* variant : {"crash_victim", "crash_victim_no_pie"}) {
    SCOPED_TRACE(variant);
    TemporaryFolder folder;
    std::string copy = folder / "victim", debug = folder / "victim.debug";
    ASSERT_EQ(run({objcopy, "--only-keep-debug", program(variant), debug}).ending(), "exit 0");
    ASSERT_EQ(run({strip, "-o", copy, program(variant)}).ending(), "exit 0");
    ASSERT_EQ(run({objcopy, "--add-gnu-debuglink=" + debug, copy}).ending(), "exit 0");
    std::string core = core_of({copy, GetParam().way}, folder);
    ASSERT_NE(core, "");
    Json with_lines = page_of(core);
    expect_page(with_lines, GetParam());
    // Without it the page says less, and nothing else.
    std::filesystem::remove(debug);
    Json without = page_of(core);
    EXPECT_EQ(without.at("cause"), with_lines.at("cause"));
    EXPECT_TRUE(without.at("object").is_null());
  }
}

INSTANTIATE_TEST_SUITE_P(Ways, Deaths, ::testing::ValuesIn(deaths),
                         [](const auto& info) { return std::string(info.param.way); });

// What a filter ends, ends at once: nothing runs in it any more.
bool is_out_of_reach(const std::string& way, const std::string& via) { return way == "refused_call" && via == "agent"; }

class RunDeaths : public ::testing::TestWithParam<Death> {};

TEST_P(RunDeaths, HaveTheSamePageWithoutACore) {
  const Death& death = GetParam();
  const int signal = run({program("crash_victim"), death.way}).signal();
  for (const char* via : {"agent", "ptrace"}) {
    SCOPED_TRACE(via);
    Watched watched = watch({program("crash_victim"), death.way}, {}, {"--via", via});
    EXPECT_EQ(watched.ran.signal(), signal);
    const Json& crashes = watched.report.at("crashes");
    if (is_out_of_reach(death.way, via)) {
      EXPECT_TRUE(crashes.at("pages").empty());
      EXPECT_EQ(crashes.at("without_page").size(), 1);
      continue;
    }
    ASSERT_EQ(crashes.at("pages").size(), 1) << crashes;
    expect_page(crashes.at("pages").at(0), death);
  }
}

INSTANTIATE_TEST_SUITE_P(Ways, RunDeaths, ::testing::ValuesIn(deaths),
                         [](const auto& info) { return std::string(info.param.way); });

TEST(Crash, FortifiedFunctionsAreNotToBlameButTheirCaller) {
  if (!kernel_leaves_cores()) GTEST_SKIP() << "the kernel writes no plain core files here";
  TemporaryFolder folder;
  Json page = page_of(core_of({program("crash_victim"), "fortify"}, folder));
  expect_page(page, {"fortify", "buffer_overflow", "fortify"});
}

TEST(Crash, KilledFromOutsideTellsWhoSentTheSignal) {
  if (!kernel_leaves_cores()) GTEST_SKIP() << "the kernel writes no plain core files here";
  TemporaryFolder folder;
  std::string ready = folder / "ready";
  Running victim({"/bin/sh", "-c", "ulimit -c unlimited; exec \"$0\" killed > \"$1\"", program("crash_victim"), ready},
                 {.directory = folder.path()});
  while (contents(ready) != "ready\n") ::usleep(1000);
  std::string core = kernels_core(folder.path(), victim.pid());
  ASSERT_EQ(::kill(victim.pid(), SIGABRT), 0);
  EXPECT_EQ(victim.wait().signal(), SIGABRT);
  Json page = page_of(core);
  expect_page(page, {"killed", "killed", "wait_to_be_killed"});
  EXPECT_THAT(page.at("what").get<std::string>(), HasSubstr("process " + std::to_string(::getpid())));
}

// Two builds, whose addresses differ.
TEST(Crash, BucketsAreOfBugsAndNotOfBuilds) {
  if (!kernel_leaves_cores()) GTEST_SKIP() << "the kernel writes no plain core files here";
  std::map<std::string, std::string> buckets;  // of ways
  for (const char* variant : {"crash_victim", "crash_victim_O0", "crash_victim_no_pie"}) {
    TemporaryFolder folder;
    std::string copy = folder / "victim";
    std::filesystem::copy_file(program(variant), copy);
    for (const char* way : {"null_write", "wild_write", "assert", "exception", "derived_exception", "recursion"}) {
      Json page = page_of(core_of({copy, way}, folder));
      auto [known, is_new] = buckets.try_emplace(way, page.at("bucket").get<std::string>());
      EXPECT_EQ(page.at("bucket"), known->second) << variant;
    }
  }
  std::set<std::string> different;
  for (const auto& [way, bucket] : buckets) different.insert(bucket);
  EXPECT_EQ(different.size(), buckets.size());
}

TEST(Crash, BriefIsTheSentenceTenFramesAndTheBucket) {
  if (!kernel_leaves_cores()) GTEST_SKIP() << "the kernel writes no plain core files here";
  TemporaryFolder folder;
  Ran ran = run({culprit_path(), "crash", core_of({program("crash_victim"), "exception"}, folder), "--brief"});
  EXPECT_THAT(ran.out, HasSubstr("An exception was thrown that nobody catches: std::runtime_error"));
  EXPECT_THAT(ran.out, HasSubstr("bucket: CPP_EXCEPTION_SIGABRT_crash_victim!_anonymous_namespace_::parse\n"));
  EXPECT_LE(std::ranges::count(ran.out, '\n'), 18);
  EXPECT_THAT(ran.out, Not(HasSubstr("rax=")));
}

// Two of one bug, one of another, and a file that is none.
TEST(Crash, ManyCoresAreCountedByBucket) {
  if (!kernel_leaves_cores()) GTEST_SKIP() << "the kernel writes no plain core files here";
  TemporaryFolder folder;
  Words command{culprit_path(), "crash", "--json"};
  for (const char* way : {"wild_write", "assert", "wild_write"}) {
    std::string kept = folder / ("kept-" + std::to_string(command.size()));
    std::filesystem::rename(core_of({program("crash_victim"), way}, folder), kept);
    command.push_back(kept);
  }
  command.push_back(folder / "missing");
  Ran ran = run(command);
  EXPECT_EQ(ran.ending(), "exit 0") << ran.err;
  Json answer = Json::parse(ran.out, nullptr, false);
  ASSERT_EQ(answer.at("buckets").size(), 2u);
  EXPECT_EQ(answer.at("crashes"), 3);
  EXPECT_EQ(answer.at("buckets")[0].at("count"), 2);
  EXPECT_EQ(answer.at("buckets")[0].at("cause"), "wild_write");
  EXPECT_EQ(answer.at("buckets")[0].at("targets"), Json({command[3], command[5]}));
  EXPECT_EQ(answer.at("unread")[0].at("target"), command.back());
}

TEST(Crash, ACoreThatIsNamedTwiceIsOneCrash) {
  if (!kernel_leaves_cores()) GTEST_SKIP() << "the kernel writes no plain core files here";
  TemporaryFolder folder;
  std::string core = core_of({program("crash_victim"), "wild_write"}, folder), link = folder / "latest";
  std::filesystem::create_symlink(core, link);
  const std::string told = "culprit: 1 name leads where another does: each crash counts once\n";
  Ran page = run({culprit_path(), "crash", core, core});
  EXPECT_EQ(page.out, run({culprit_path(), "crash", core}).out);
  EXPECT_EQ(page.err, told);
  Ran groups = run({culprit_path(), "crash", core, link, folder / "missing", "--json"});
  EXPECT_EQ(groups.err, told);
  EXPECT_EQ(Json::parse(groups.out, nullptr, false).at("crashes"), 1);
}

// A bucket is what one searches the answer for.
TEST(Crash, OfManyCoresEachBucketIsALineAndOnlySomeOfTheUnreadAreNamed) {
  if (!kernel_leaves_cores()) GTEST_SKIP() << "the kernel writes no plain core files here";
  TemporaryFolder folder;
  Words command{culprit_path(), "crash", core_of({program("crash_victim"), "double_free"}, folder)};
  for (int i = 0; i < 10; ++i) {
    command.push_back(folder / ("empty-" + std::to_string(i)));
    write_file(command.back(), "");
  }
  std::string out = run(command).out;
  EXPECT_THAT(out, ContainsRegex("\n1 × HEAP_CORRUPTION_DOUBLE_FREE_SIGABRT_crash_victim![a-z_:]*double_free\n"));
  EXPECT_THAT(out, HasSubstr("10 targets not looked at\n"));
  EXPECT_THAT(out, HasSubstr("empty-7 is empty"));
  EXPECT_THAT(out, Not(HasSubstr("empty-8")));
  EXPECT_THAT(out, HasSubstr("\n  and 2 more: --all names them\n"));
  command.push_back("--all");
  EXPECT_THAT(run(command).out, HasSubstr("empty-9 is empty"));
}

TEST(Crash, TakesTheProgramBesideTheCore) {
  if (!kernel_leaves_cores()) GTEST_SKIP() << "the kernel writes no plain core files here";
  TemporaryFolder folder;
  std::string copy = folder / "victim", moved = folder / "moved";
  std::filesystem::copy_file(program("crash_victim"), copy);
  std::string core = core_of({copy, "null_read"}, folder);
  std::filesystem::rename(copy, moved);
  EXPECT_EQ(page_of(core).at("exact"), false);
  Json page = page_of(core, {moved});
  EXPECT_EQ(page.at("exact"), true);
  expect_page(page, {"null_read", "null_read", "Checkout::where"});
  // Another program is not taken for it.
  EXPECT_EQ(page_of(core, {program("crash_victim_O0")}).at("exact"), false);
}

// Wherever the disk was full: an answer or one sentence, and never what only seems to be so.
TEST(Crash, OfACoreThatIsCutOffAnywhereSaysLessAndNothingElse) {
  if (!kernel_leaves_cores()) GTEST_SKIP() << "the kernel writes no plain core files here";
  TemporaryFolder folder;
  std::string core = core_of({program("crash_victim"), "null_write"}, folder), cut = folder / "cut";
  const std::string bytes = contents(core);
  constexpr size_t step = 64 * 1024;
  for (size_t size = 0; size < bytes.size(); size += step) {
    write_file(cut, std::string_view(bytes).substr(0, size));
    Ran ran = run({culprit_path(), "crash", cut, "--json"});
    if (ran.exit_code() == 2) {
      EXPECT_THAT(ran.err, ::testing::StartsWith("culprit: "));
      continue;
    }
    ASSERT_EQ(ran.ending(), "exit 0") << size;
    Json page = Json::parse(ran.out, nullptr, false);
    EXPECT_EQ(page.at("exact"), false) << size;
    EXPECT_THAT(page.at("cause").get<std::string>(), AnyOf("null_write", "null_access", "unknown")) << size;
  }
}

TEST(Crash, TheConsoleKnowsWinDbgsWords) {
  if (!kernel_leaves_cores()) GTEST_SKIP() << "the kernel writes no plain core files here";
  TemporaryFolder folder;
  std::string core = core_of({program("crash_victim"), "null_write"}, folder);
  Ran ran = run({culprit_path(), "shell", core, "-c", "!analyze -v; .ecxr"});
  EXPECT_EQ(ran.ending(), "exit 0") << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("Wrote through a null pointer: `cart->total` (offset 24 of a null `Cart*`)"));
  EXPECT_THAT(ran.out, HasSubstr("mov     qword ptr [rsi + 0x18]"));
}

TEST(Crash, OfAProcessThatLivesSaysSo) {
  TemporaryFolder folder;
  std::string ready = folder / "ready";
  Running victim({"/bin/sh", "-c", "exec \"$0\" killed > \"$1\"", program("crash_victim"), ready});
  while (contents(ready) != "ready\n") ::usleep(1000);
  Json page = page_of(std::to_string(victim.pid()));
  EXPECT_EQ(page.at("cause"), "none");
  EXPECT_EQ(page.at("kind"), "live");
}

}  // namespace
}  // namespace culprit::test
