// What a page about a crash rests on, where some of it is missing, damaged or of another kind.
#include <gmock/gmock.h>
#include <signal.h>

#include <filesystem>
#include <sstream>

#include "analysis/crash_report.h"
#include "support/crash_pages.h"
#include "target/elf_core.h"

namespace culprit::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class CrashEvidence : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!kernel_leaves_cores()) GTEST_SKIP() << "the kernel writes no plain core files here";
  }
  std::string core_of_victim(const std::string& way, const char* variant = "crash_victim") {
    return core_of({program(variant), way}, folder_);
  }
  // A page, or one sentence.
  void expect_refusal(const std::string& core, const std::string& word) {
    Ran ran = run({culprit_path(), "crash", core});
    EXPECT_EQ(ran.ending(), "exit 2");
    EXPECT_THAT(ran.err, StartsWith("culprit: "));
    EXPECT_THAT(ran.err, HasSubstr(word));
    EXPECT_EQ(std::ranges::count(ran.err, '\n'), 1);
    EXPECT_EQ(ran.out, "");
  }

  TemporaryFolder folder_;
};

// Of the thread that died: gdb selects it.
std::vector<uint64_t> stack_of_gdb(const std::string& core, const std::string& executable, uint32_t tid) {
  Ran gdb = run({tool("gdb"), "-nx", "-batch", executable, core, "-x", CULPRIT_GDB_CORE_SCRIPT});
  std::istringstream lines(gdb.out);
  std::vector<uint64_t> stack;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string word;
    uint32_t thread = 0;
    if (!(words >> word >> thread) || word != "thread" || thread != tid) continue;
    while (words >> word) stack.push_back(std::stoull(word, nullptr, 16));
  }
  EXPECT_FALSE(stack.empty()) << gdb.out << gdb.err;
  return stack;
}

TEST_F(CrashEvidence, HasTheStackThatTheDebuggerSees) {
  if (tool("gdb").empty()) GTEST_SKIP() << "gdb is not installed";
  for (const char* way : {"null_write", "null_in_library", "null_call", "exception", "double_free", "pure_virtual"}) {
    SCOPED_TRACE(way);
    std::string core = core_of_victim(way);
    Json page = page_of(core);
    std::vector<uint64_t> ours;
    for (const Json& frame : page.at("stack"))
      if (!frame.at("inlined").get<bool>()) ours.push_back(frame.at("address"));
    EXPECT_EQ(ours, stack_of_gdb(core, program("crash_victim"), page.at("fault").at("thread")));
  }
}

// Older gcores tell the signal and no more.
TEST_F(CrashEvidence, OfAFaultWithoutItsAddressIsTheOperandThatCannotBeUsed) {
  constexpr std::string_view siginfo("\x05\0\0\0\x80\0\0\0IGIS", 12), other("\x05\0\0\0\x80\0\0\0ZZZZ", 12);
  struct Expected {
    const char *way, *cause, *function;
  };
  for (auto [way, cause, function] : {Expected{"null_write", "null_write", "Checkout::add"},
                                      {"wild_read", "wild_read", "wild_read"},
                                      {"read_only_write", "read-only_write", "read_only_write"},
                                      {"null_call", "null_call", "null_call"}}) {
    SCOPED_TRACE(way);
    std::string core = core_of_victim(way), bytes = contents(core);
    size_t at = bytes.find(siginfo);
    ASSERT_NE(at, bytes.npos);
    bytes.replace(at, other.size(), other);
    write_file(core, bytes);
    Json page = page_of(core);
    EXPECT_EQ(page.at("fault").at("code"), 0);
    EXPECT_EQ(page.at("cause"), cause);
    EXPECT_EQ(blamed_function(page), function);
  }
}

TEST_F(CrashEvidence, IsNotTakenFromCoresOfOtherProcessors) {
  std::string core = core_of_victim("null_write"), bytes = contents(core);
  constexpr size_t class_at = 4, machine_at = 18;
  std::string narrow = bytes, foreign = bytes;
  narrow[class_at] = 1;
  foreign[machine_at] = static_cast<char>(183);
  write_file(core, narrow);
  expect_refusal(core, "32-bit");
  write_file(core, foreign);
  expect_refusal(core, "x86-64");
}

// One bit here and there of what the kernel tells about the process: never a crash, and never a frame that is not
// there.
TEST_F(CrashEvidence, MayHaveAnyBitFlippedInItsNotes) {
  const std::string whole = contents(core_of_victim("null_write"));
  auto elf = parse_elf(as_bytes(whole));
  ASSERT_TRUE(elf);
  auto notes = std::ranges::find(elf->segments, elf::segment_note, &ElfSegment::type);
  ASSERT_NE(notes, elf->segments.end());
  size_t pages = 0;
  for (size_t at = 0; at < std::min<size_t>(notes->file_size, 4096); at += 5) {
    std::string damaged = whole;
    damaged[notes->offset + at] = static_cast<char>(damaged[notes->offset + at] ^ (1 << (at / 5 % 8)));
    auto target = open_core_bytes(as_bytes(damaged), {.name = "core", .places = {.opens_files = false}});
    if (!target) {
      EXPECT_NE(target.error().what, "");
      continue;
    }
    TargetNames names(**target, {.debug_directories = {}, .debuginfod = false});
    auto report = report_crash(**target, {.names = names});
    if (!report) continue;
    ++pages;
    EXPECT_NE(report->verdict.what, "");
    EXPECT_LE(report->culprit.value_or(0), report->stack.frames.size());
  }
  EXPECT_GT(pages, 0u);
}

TEST_F(CrashEvidence, OfProgramsWithoutDebugInfoHasFunctionsAndNoLines) {
  if (tool("strip").empty()) GTEST_SKIP() << "binutils are not installed";
  std::string copy = folder_ / "victim";
  ASSERT_EQ(run({tool("strip"), "-g", "-o", copy, program("crash_victim")}).ending(), "exit 0");
  Json page = page_of(core_of({copy, "null_write"}, folder_));
  EXPECT_EQ(page.at("what"), "Wrote through a null pointer (offset 24)");
  EXPECT_EQ(blamed_function(page), "Checkout::add");
  EXPECT_EQ(page.at("source"), Json::array());
  EXPECT_TRUE(page.at("object").is_null());
}

TEST_F(CrashEvidence, OfStrippedStaticProgramsIsTheInstruction) {
  if (tool("strip").empty()) GTEST_SKIP() << "binutils are not installed";
  std::string copy = folder_ / "victim";
  ASSERT_EQ(run({tool("strip"), "-o", copy, program("crash_victim_static")}).ending(), "exit 0");
  struct Expected {
    const char *way, *cause;
  };
  for (auto [way, cause] : {Expected{"null_write", "null_write"},
                            {"null_call", "null_call"},
                            {"divide_by_zero", "division_by_zero"},
                            {"trap", "trap"}}) {
    Json page = page_of(core_of({copy, way}, folder_));
    EXPECT_EQ(page.at("cause"), cause);
    EXPECT_FALSE(page.at("stack").empty());
  }
  // With its symbols they have names and lines.
  EXPECT_EQ(blamed_function(page_of(core_of_victim("null_write", "crash_victim_static"))), "Checkout::add");
}

TEST_F(CrashEvidence, OfAReturnToNowhereIsTheWordThatWasPopped) {
  for (const char* variant : {"crash_victim", "crash_victim_O0", "crash_victim_no_pie"}) {
    SCOPED_TRACE(variant);
    Json page = page_of(core_of_victim("bad_return", variant));
    EXPECT_EQ(page.at("cause"), "bad_return");
    EXPECT_EQ(page.at("confidence"), "likely");
    EXPECT_EQ(page.at("fault").at("address"), 0x12345678000u);
  }
}

TEST_F(CrashEvidence, OfAReturnToWhatIsNoAddressIsTheOverwrittenStack) {
  Json page = page_of(core_of_victim("bad_return_of_text"));
  EXPECT_EQ(page.at("cause"), "bad_return");
  EXPECT_EQ(blamed_function(page), "bad_return_of_text");
  EXPECT_THAT(page.at("evidence").dump(), HasSubstr("the instruction is ret: it leads to 0x4141414141414141"));
}

// What a function that ends in a jump leaves below the stack is 0 as well, by chance.
TEST_F(CrashEvidence, OfAJumpThroughANullPointerIsNoReturn) {
  for (const char* variant : {"crash_victim", "crash_victim_O0", "crash_victim_no_pie"}) {
    SCOPED_TRACE(variant);
    EXPECT_EQ(page_of(core_of_victim("null_tail_call", variant)).at("cause"), "null_call");
  }
}

TEST_F(CrashEvidence, OfAlignmentChecksIsTheOperand) {
  std::string core = core_of_victim("alignment_check");
  if (core.empty()) GTEST_SKIP() << "the processor, or who virtualises it, makes no checks of alignment";
  Json page = page_of(core);
  EXPECT_EQ(page.at("cause"), "misaligned_access");
  EXPECT_EQ(blamed_function(page), "alignment_check");
}

TEST_F(CrashEvidence, OfASanitizersEndIsItsReport) {
  TemporaryFolder folder;
  Running victim({"/usr/bin/env", "ASAN_OPTIONS=abort_on_error=1:disable_coredump=0:symbolize=0",
                  program("crash_victim_asan"), "use_after_free"},
                 {.directory = folder.path(), .in_child = allow_core});
  std::string core = kernels_core(folder.path(), victim.pid());
  ASSERT_EQ(victim.wait().signal(), SIGABRT);
  Json page = page_of(core);
  EXPECT_EQ(page.at("cause"), "sanitizer");
  EXPECT_THAT(page.at("what").get<std::string>(),
              StartsWith("Stopped by AddressSanitizer: heap-use-after-free on address"));
  EXPECT_EQ(blamed_function(page), "use_after_free");
}

TEST_F(CrashEvidence, NamesTheHandlerInWhichItEnded) {
  Json page = page_of(core_of_victim("in_handler"));
  EXPECT_EQ(page.at("fault").at("signal"), "SIGSEGV");
  EXPECT_THAT(page.at("evidence").dump(), AllOf(HasSubstr("handler of SIGSEGV"), HasSubstr("handle_by_abort")));
  EXPECT_THAT(page.at("evidence").dump(), Not(HasSubstr("give_up"))) << "which the handler calls";
  page = page_of(core_of_victim("fault_in_handler"));
  EXPECT_EQ(page.at("cause"), "wild_write");
  EXPECT_THAT(page.at("evidence").dump(), HasSubstr("this was in a handler of SIGFPE, which had come in"));
}

TEST_F(CrashEvidence, NamesTheTerminateHandlerInWhichItEnded) {
  Json page = page_of(core_of_victim("own_terminate"));
  EXPECT_THAT(page.at("evidence").dump(), AllOf(HasSubstr("terminate handler"), HasSubstr("end_by_own_choice")));
  page = page_of(core_of_victim("fault_in_terminate"));
  EXPECT_THAT(page.at("evidence").dump(), AllOf(HasSubstr("this was in the program's terminate handler"),
                                                HasSubstr("called for std::out_of_range")));
}

TEST_F(CrashEvidence, OfASignalThatItsHandlerRaisedAgainIsLikely) {
  Json page = page_of(core_of_victim("raised_again"));
  EXPECT_EQ(page.at("confidence"), "likely");
  EXPECT_THAT(page.at("evidence").dump(), HasSubstr("its handler raised the signal again"));
  EXPECT_EQ(page_of(core_of_victim("raised_elsewhere")).at("confidence"), "likely");
  page = page_of(core_of_victim("truncated_raised_again"));
  EXPECT_EQ(page.at("cause"), "truncated_file");
  EXPECT_EQ(page.at("confidence"), "likely");
  EXPECT_EQ(blamed_function(page), "truncated_file");
  EXPECT_THAT(page.at("sentence").get<std::string>(), HasSubstr("Used /tmp/crash_victim-"));
  EXPECT_EQ(page_of(core_of_victim("raised")).at("confidence"), "certain");
  page = page_of(core_of_victim("raised_in_handler"));
  EXPECT_THAT(page.at("evidence").dump(), AllOf(HasSubstr("handler of SIGFPE"), HasSubstr("handle_by_raising")));
}

TEST_F(CrashEvidence, SaysThatTheSourceIsNewerThanTheProgram) {
  if (tool("g++").empty()) GTEST_SKIP() << "g++ is not installed";
  std::string source = folder_ / "late.cc", late = folder_ / "late";
  write_file(source, "int main(int count, char**) {\n  *reinterpret_cast<volatile int*>(count - 1L) = 1;\n}\n");
  ASSERT_EQ(run({tool("g++"), "-g", "-O1", source, "-o", late}).ending(), "exit 0");
  std::string core = core_of({late}, folder_);
  auto built = std::filesystem::last_write_time(late);
  std::filesystem::last_write_time(source, built - std::chrono::hours(1));
  EXPECT_EQ(page_of(core).at("source_is_newer"), false);
  std::filesystem::last_write_time(source, built + std::chrono::hours(1));
  Json page = page_of(core);
  EXPECT_EQ(page.at("source_is_newer"), true);
  EXPECT_FALSE(page.at("source").empty());
  EXPECT_THAT(run({culprit_path(), "crash", core}).out, HasSubstr("this file was changed after the program was built"));
}

TEST_F(CrashEvidence, OfSplitDebugInfoHasNamesOrSaysThatItIsGone) {
  if (tool("g++").empty()) GTEST_SKIP() << "g++ is not installed";
  std::string source = folder_ / "split.cc", object = folder_ / "split.o", split = folder_ / "split";
  write_file(source,
             "struct Cart { char name[24]; long total; };\n"
             "__attribute__((noinline)) void add(Cart* cart) { cart->total = 5; }\n"
             "int main(int count, char**) { add(reinterpret_cast<Cart*>(count - 1L)); }\n");
  ASSERT_EQ(run({tool("g++"), "-g", "-O1", "-gsplit-dwarf", "-c", source, "-o", object}).ending(), "exit 0");
  ASSERT_EQ(run({tool("g++"), object, "-o", split}).ending(), "exit 0");
  std::string core = core_of({split}, folder_);
  EXPECT_THAT(page_of(core).at("what").get<std::string>(), HasSubstr("`cart->total`"));
  std::filesystem::remove(folder_ / "split.dwo");
  Json page = page_of(core);
  EXPECT_EQ(page.at("cause"), "null_write");
  EXPECT_TRUE(page.at("object").is_null());
  std::string text = run({culprit_path(), "crash", core}).out;
  EXPECT_THAT(text, HasSubstr("split debug info"));
  EXPECT_THAT(text, HasSubstr("its inlined functions and"));
}

class BlameRules : public CrashEvidence {
 protected:
  std::string rules(std::string_view text) {
    std::string path = folder_ / "rules";
    write_file(path, text);
    return path;
  }
};

TEST_F(BlameRules, OfTheUserPassOverFramesAndAreNamed) {
  std::string core = core_of_victim("null_write", "crash_victim_O0");
  EXPECT_EQ(blamed_function(page_of(core)), "Checkout::add");
  std::string file = rules("[our checkout]\nfun: *Checkout::*\nwhy: it only does what it is asked\n");
  Json page = page_of(core, {"--blame-rules", file});
  EXPECT_EQ(blamed_function(page), "null_write");
  EXPECT_EQ(page.at("rule"), "our checkout");
  Ran ran = run({culprit_path(), "crash", core, "--blame-rules", file});
  EXPECT_THAT(ran.out, HasSubstr("by the rule \"our checkout\": it only does what it is"));
}

TEST_F(BlameRules, OfStrongAndWeakOwnersAreFollowed) {
  std::string core = core_of_victim("null_in_library", "crash_victim_O0");
  Json page = page_of(core, {"--blame-rules", rules("[strings]\nmod: libc.so.6\nowner: strong\n")});
  EXPECT_EQ(page.at("blamed"), 0);
  EXPECT_EQ(page.at("owner"), "strings");
  page = page_of(core, {"--blame-rules", rules("[all]\nmod: *\n[weakly]\nmod: *\nfun: *main*\nowner: weak\n")});
  EXPECT_EQ(blamed_function(page), "main");
  EXPECT_EQ(page.at("owner"), "weakly");
}

TEST_F(BlameRules, AreAlsoReadFromTheFolderOfSettings) {
  std::string core = core_of_victim("null_write", "crash_victim_O0");
  std::filesystem::create_directories(folder_ / "culprit");
  write_file(folder_ / "culprit/blame", "[our checkout]\nfun: *Checkout::*\n");
  Words command{"/usr/bin/env", "XDG_CONFIG_HOME=" + folder_.path(), culprit_path(), "crash", core, "--json"};
  EXPECT_EQ(Json::parse(run(command).out, nullptr, false).at("rule"), "our checkout");
  write_file(folder_ / "culprit/blame", "[our checkout]\n");
  Ran refused = run(command);
  EXPECT_EQ(refused.ending(), "exit 2");
  EXPECT_THAT(refused.err, HasSubstr("culprit/blame: line 1: [our checkout] has no mod:, fun: or file:"));
}

TEST_F(BlameRules, ThatAreNotUnderstoodAreRefused) {
  std::string core = core_of_victim("null_write");
  Ran ran = run({culprit_path(), "crash", core, "--blame-rules", rules("[a]\nfun: f\nowner: strongest\n")});
  EXPECT_EQ(ran.ending(), "exit 2");
  EXPECT_THAT(ran.err, HasSubstr("rules: line 3: \"strongest\" is no owner: expected none, weak or strong\n"));
  EXPECT_EQ(run({culprit_path(), "crash", core, "--blame-rules", folder_ / "missing"}).ending(), "exit 2");
}

}  // namespace
}  // namespace culprit::test
