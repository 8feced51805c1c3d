#include "view/as_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/text.h"
#include "report_samples.h"
#include "view/stack_text.h"

namespace culprit {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

std::string source_file() {
  std::filesystem::path folder = std::filesystem::path(testing::TempDir()) / "culprit_view_sources";
  std::filesystem::create_directories(folder);
  std::filesystem::path path = folder / "leaky.cpp";
  std::ofstream(path) << "#include <sys/eventfd.h>\n\nint fun4() {\n\treturn eventfd(0, 0);\n}\n\nvoid fun2() {\n";
  return path;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

std::string without_colour(const std::string& text) {
  std::string plain;
  for (size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '\x1b') {
      at = text.find('m', at);
    } else {
      plain += text[at];
    }
  }
  return plain;
}

TEST(AsText, NamesTheLineThatLeaks) {
  EXPECT_EQ(as_text(samples::demo(source_file()), {}),
            R"(culprit: 1 leak: 1,000 eventfd handles never closed, made in fun4 (leaky.cpp:4)
         at this rate the limit of 1,024 open handles is reached in about 0.2 s

  1,000 × eventfd   grows: 0 of 1000 closed, made at 98/s from start to end
       in fun4()  culprit_view_sources/leaky.cpp:4
            3  int fun4() {
          > 4      return eventfd(0, 0);
            5  }
     from fun2()  culprit_view_sources/leaky.cpp:9
     from main    culprit_view_sources/leaky.cpp:14
    blamed past 1 frame (libc)

  2,000 handles made in 10 s, 1,000 closed, 1,000 open at the end; 3 inherited
    (not counted)
  exact: nothing that could change this was lost
)");
}

// Stripped: main has no name, libc's caller of it has one, _start again none.
TEST(AsText, ShowsNothingOfTheProgramsStartWhereMainHasNoName) {
  HandleGroup group = samples::leak("file", 30, samples::fun4_stack(""));
  group.stack.frames.clear();
  for (auto [function, own] :
       {std::pair{"", true}, {"__libc_start_call_main", false}, {"__libc_start_main_impl", false}, {"", true}}) {
    ReportFrame& frame = group.stack.frames.emplace_back();
    frame.function = function;
    frame.own = own;
    frame.module = own ? "/home/me/app" : "/lib/libc.so.6";
    frame.offset = 0x1000 + group.stack.frames.size();
  }
  group.stack.blamed = 0;
  std::string text = as_text(samples::with_groups({group}), {});
  EXPECT_THAT(text, HasSubstr("in app+0x1001"));
  EXPECT_THAT(text, Not(HasSubstr("__libc_start")));
  EXPECT_THAT(text, Not(HasSubstr("app+0x1004")));
}

TEST(AsText, SaysOneCalmLineWhenNothingLeaks) {
  HandleReport report = samples::with_groups({});
  report.created = report.closed = 2345;
  EXPECT_EQ(as_text(report, {}), "culprit: no leaks: 2,345 handles made, all closed; exact\n");
}

TEST(AsText, IsCalmAboutHandlesThatWereMeantToStayOpen) {
  HandleGroup group = samples::leak("file", 3, samples::fun4_stack(""));
  group.leak = false;
  group.verdict = Verdict::held;
  HandleReport report = samples::with_groups({group});
  EXPECT_EQ(as_text(report, {}), "culprit: no leaks: 3 handles made in 10 s, 0 closed, 3 open at the end; exact\n");
  std::string all = as_text(report, {.details = true});
  EXPECT_THAT(all, HasSubstr("left open, but no leak by what was seen:\n          3 × file         held      fun4"));
}

TEST(AsText, NeverCallsAPartialResultExact) {
  HandleReport report = samples::with_groups({});
  report.created = report.closed = 10;
  report.exact = false;
  report.losses = {{LossKind::ring_full, 1234, {"thread 17"}}, {LossKind::stack_missing, 2, {}}};
  std::string text = as_text(report, {});
  EXPECT_THAT(text, StartsWith("culprit: no leaks: 10 handles made, all closed; but partial\n"));
  EXPECT_THAT(text, HasSubstr("partial, because\n    1,234 events were dropped"));
  EXPECT_THAT(text, HasSubstr("thread 17"));
  EXPECT_THAT(text, HasSubstr("also: 2 events have no stack"));
  EXPECT_THAT(text, Not(HasSubstr("exact:")));
}

TEST(AsText, SaysOfOneThatItIsOne) {
  HandleReport report = samples::with_groups({});
  report.exact = false;
  report.losses = {{LossKind::stack_truncated, 1, {}},
                   {LossKind::symbols_missing, 1, {}},
                   {LossKind::block_damaged, 1, {}},
                   {LossKind::thread_slots, 1, {}}};
  std::string text = as_text(report, {.style = {.columns = 200}});
  EXPECT_THAT(text, HasSubstr("1 stack ends early: code without"));
  EXPECT_THAT(text, HasSubstr("1 frame has no function name"));
  EXPECT_THAT(text, HasSubstr("1 block was skipped because it is damaged"));
  EXPECT_THAT(text, HasSubstr("1 thread found no place in shared memory, its events are missing"));
}

TEST(AsText, ShowsTenOfTenThousandGroupsAndCountsTheOthers) {
  std::vector<HandleGroup> groups(10'000, samples::leak("file", 2, samples::fun4_stack("/src/a.cc")));
  std::string text = as_text(samples::with_groups(groups), {});
  EXPECT_THAT(text, StartsWith("culprit: 10,000 leaks: 20,000 handles, the most in fun4 (a.cc:4)\n"));
  EXPECT_THAT(text, HasSubstr("… and 9,990 more groups with 19,980 handles (--top N, --all)\n"));
  size_t blocks = 0;
  for (const std::string& line : lines_of(text)) blocks += line.starts_with("  2 × file");
  EXPECT_EQ(blocks, 10u);
}

TEST(AsText, CountsTheGroupsThatTheAnalysisLeftOut) {
  HandleReport report = samples::demo("/src/a.cc");
  report.groups_hidden = 1;
  report.handles_hidden = 7;
  EXPECT_THAT(as_text(report, {}), HasSubstr("… and 1 more group with 7 handles (--top N, --all)\n"));
}

TEST(AsText, KeepsWithinItsWidth) {
  std::string type_name = "std::map<std::basic_string<char>, std::vector<std::pair<unsigned long, app::Session*>>>";
  ReportStack stack =
      samples::fun4_stack("/home/somebody/projects/a_rather_long_folder_name/with_a_long_file_name_too.cc");
  stack.frames[1].function = "app::open_session<" + type_name + ">(" + type_name + " const&)";
  stack.frames[1].inlined = true;
  HandleGroup group = samples::leak("socket", 12345, stack);
  group.examples = {
      {17, "socket:[tcp 127.0.0.1:80 -> 127.0.0.1:51234 and a lot more text than fits]", "leaky", 1, 2.5, 60}};
  for (size_t columns : {60, 80, 120, 200}) {
    std::string text = as_text(samples::with_groups({group}), {.style = {.columns = columns}});
    for (const std::string& line : lines_of(text)) EXPECT_LE(display_width(line), columns) << line;
    EXPECT_THAT(text, HasSubstr("[inlined]"));
    EXPECT_THAT(text, HasSubstr("app::open"));
  }
}

TEST(AsText, ReadsTheSameWithAndWithoutColour) {
  HandleReport report = samples::demo(source_file());
  std::string plain = as_text(report, {});
  std::string coloured = as_text(report, {.style = {.columns = 80, .colour = true}});
  EXPECT_NE(plain, coloured);
  EXPECT_EQ(without_colour(coloured), plain);
  EXPECT_THAT(plain, Not(HasSubstr("\x1b")));
}

TEST(AsText, LetsNothingForeignReachTheTerminalRaw) {
  const std::string evil = "a\x1b[31m\r\n\x07\x7f\xc2\x9b\xe2\x80\xae\xff";
  ReportStack stack;
  stack.frames = {samples::frame(evil, "/src/" + evil + ".cc", 3, "/lib/" + evil), samples::library_frame(evil, evil)};
  stack.frames[0].skipped_by = evil;
  stack.blamed = 1;
  HandleGroup group = samples::leak(evil, 5, stack);
  group.evidence = evil;
  group.examples = {{3, evil, evil, 1, 0, 1}};
  group.owning = {{evil, 7, 5}};
  group.creating = {{evil, 8, 5}};
  group.closing = {{evil, 9, 1}};
  group.closing_stacks = {{3, stack}};
  HandleReport report = samples::with_groups({group, group});
  report.groups[1].leak = false;
  report.command = evil;
  report.processes = {samples::process(evil, 1, 2, 1), samples::process(evil, 2, 2, 1)};
  report.processes[0].sight_reason = evil;
  report.processes[0].time_left = TimeLeft{10, 5, 1, 5, evil};
  report.unknown = {{4, evil, evil, evil, 1, 0.5, HowClosed::still_open}};
  report.unknown_total = 1;
  report.types = {{evil, 1, 0, 1}, {evil + "2", 1, 0, 1}};
  report.suppressions = {{evil, 1, 0, 0}};
  report.exact = false;
  report.losses = {{LossKind::process_not_followed, 2, {evil}}};
  for (bool details : {false, true}) {
    std::string text = as_text(report, {.details = details, .recording = evil});
    for (char c : text)
      EXPECT_TRUE(c == '\n' || (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f)) << static_cast<int>(c);
    EXPECT_THAT(text, Not(HasSubstr("\xc2\x9b")));
    EXPECT_THAT(text, Not(HasSubstr("\xe2\x80\xae")));
    EXPECT_THAT(text, Not(HasSubstr("\xff")));
    // A line of its own would be a lie of the program's own making.
    for (const std::string& line : lines_of(text)) EXPECT_FALSE(line.starts_with("\x07"));
  }
}

TEST(AsText, ShowsModuleAndOffsetOfStrippedCode) {
  ReportStack stack{
      {samples::stripped_frame("/usr/sbin/daemon", 0xabc), samples::stripped_frame("", 0x7f0012)}, true, 0};
  std::string text = as_text(samples::with_groups({samples::leak("file", 4, stack)}), {});
  EXPECT_THAT(text, StartsWith("culprit: 1 leak: 4 file handles never closed, made in daemon+0xabc\n"));
  EXPECT_THAT(text, HasSubstr("   in daemon+0xabc\n"));
  EXPECT_THAT(text, HasSubstr("from 0x7f0012\n"));
  EXPECT_THAT(text, HasSubstr("the outer end of the stack is missing"));
}

TEST(AsText, MarksFramesThatAreLessThanCertain) {
  ReportStack stack = samples::fun4_stack("/src/a.cc");
  stack.frames[1] = samples::library_frame("curl_easy_init", "");
  stack.frames[1].quality = SymbolQuality::exported_symbol;
  stack.frames[1].function_offset = 0x1c;
  stack.frames[2].found_by = FoundBy::scan;
  std::string text = as_text(samples::with_groups({samples::leak("socket", 4, stack)}), {});
  EXPECT_THAT(text, HasSubstr("curl_easy_init+0x1c (exported symbol)"));
  EXPECT_THAT(text, HasSubstr("fun2() [by scan, may be wrong]"));
}

TEST(AsText, TellsWhichRuleChoseTheBlamedFrame) {
  HandleReport report = samples::demo("/src/a.cc");
  EXPECT_THAT(as_text(report, {}), HasSubstr("blamed past 1 frame (libc)\n"));
  std::string all = as_text(report, {.details = true});
  EXPECT_THAT(all, HasSubstr("passed over: libc\n"));
  EXPECT_THAT(all, HasSubstr("_start"));
  report.groups[0].stack.blamed.reset();
  EXPECT_THAT(as_text(report, {}), HasSubstr("nobody to blame: every frame is passed over"));
  report.groups[0].stack = {};
  EXPECT_THAT(as_text(report, {}), HasSubstr("no stack was taken"));
}

TEST(AsText, PassesOverTheLibrarysWayFromOneFunctionToTheNext) {
  ReportStack stack = samples::fun4_stack("/src/a.cc");
  stack.frames.insert(stack.frames.begin() + 2, samples::frame("void std::__invoke_impl<void, A>(A&&)", "", 0));
  std::string text = as_text(samples::with_groups({samples::leak("socket", 4, stack)}), {});
  EXPECT_THAT(text, HasSubstr("… 1 more (std)"));
  EXPECT_THAT(text, Not(HasSubstr("__invoke_impl")));
}

TEST(AsText, NamesOwnCodeWhereEveryFrameIsPassedOver) {
  ReportStack stack;
  for (const char* function : {"futex_wait", "pthread_mutex_lock"})
    stack.frames.push_back(samples::library_frame(function, "libc"));
  stack.frames.push_back(samples::frame("std::thread::_State_impl<L>::_M_run()", "thread.h", 7));
  stack.frames.back().skipped_by = "std";
  stack.frames.push_back(samples::library_frame("start_thread", "libc"));
  EXPECT_EQ(blamed_phrase(stack, 80), "std::thread::_State_impl<L>::_M_run (thread.h:7)");
  stack.frames.erase(stack.frames.begin() + 2);
  EXPECT_THAT(blamed_phrase(stack, 80), StartsWith("futex_wait"));
}

TEST(AsText, FoldsDeepStacksAndKeepsTheirBeginning) {
  ReportStack stack = samples::fun4_stack("/src/a.cc");
  stack.frames.insert(stack.frames.begin() + 2, 60, samples::frame("recurse(int)", "/src/a.cc", 30));
  std::string text = as_text(samples::with_groups({samples::leak("file", 4, stack)}), {});
  EXPECT_THAT(text, HasSubstr("… 55 more\n"));
  EXPECT_THAT(text, HasSubstr("from main"));
  EXPECT_THAT(text, Not(HasSubstr("_start")));
}

TEST(AsText, TellsAboutEachProcessWhenThereAreSeveral) {
  HandleReport report = samples::demo("/src/a.cc");
  report.processes.push_back(samples::process("worker", 4712, 10, 2));
  report.processes[1].end = ProcessEnd::killed;
  report.processes[1].status = 9;
  std::string text = as_text(report, {});
  EXPECT_THAT(text, HasSubstr("leaky (pid 4711): at this rate the limit of 1,024"));
  EXPECT_THAT(text, HasSubstr("2 processes:\n"));
  EXPECT_THAT(text, HasSubstr("    worker (pid 4712): 10 made, 8 closed, 2 open at the end"));
  EXPECT_THAT(text, HasSubstr("killed by"));
}

TEST(AsText, SaysWhatCouldNotBeSeen) {
  HandleReport report = samples::with_groups({});
  report.unknown = {{7, "socket", "socket:[tcp]", "leaky", 4711, 1.5, HowClosed::still_open}};
  report.unknown_total = 12;
  report.exact = false;
  report.losses = {{LossKind::unknown_origin, 12, {}}};
  report.processes[0].sight = Sight::handle_table;
  report.processes[0].sight_reason = "a static program: no agent can be loaded into it";
  std::string text = as_text(report, {.details = true});
  EXPECT_THAT(text, HasSubstr("12 handles of unknown origin"));
  EXPECT_THAT(text, HasSubstr("7 socket socket:[tcp], seen in leaky (pid 4711) at 1.5 s"));
  EXPECT_THAT(text, HasSubstr("… and 11 more"));
  EXPECT_THAT(text, HasSubstr("note: leaky (pid 4711): a static program"));
}

TEST(AsText, CountsUsedAndUnusedSuppressions) {
  HandleReport report = samples::with_groups({});
  report.suppressions = {{"the cache", 1, 2, 40}, {"old bug", 9, 0, 0}};
  report.suppressed_groups = 2;
  report.suppressed_handles = 40;
  EXPECT_THAT(as_text(report, {}),
              HasSubstr("suppressed: 40 handles in 2 groups, by 1 of 2 suppressions; unused: old bug\n    (line 9)"));
}

TEST(AsText, TellsHowTheOthersWereClosedWhenSomeAreForgotten) {
  HandleGroup group = samples::leak("file", 10, samples::fun4_stack("/src/a.cc"));
  group.verdict = Verdict::sometimes_forgotten;
  group.created = 100;
  group.closed = 90;
  group.lifetimes = {90, 0.001, 0.003, 2};
  group.closing_stacks = {{90, {{samples::frame("Cache::drop()", "/src/cache.cc", 88)}, false, 0}}};
  std::string text = as_text(samples::with_groups({group}), {});
  EXPECT_THAT(text, HasSubstr("not closed, made in fun4"));
  EXPECT_THAT(text, HasSubstr("sometimes forgotten: "));
  EXPECT_THAT(text, HasSubstr("90 closed in Cache::drop (cache.cc:88)\n"));
  EXPECT_THAT(text, HasSubstr("the closed ones lived"));
}

TEST(AsText, LeavesTheSourceOutOnRequestAndWhenItIsNotThere) {
  HandleReport report = samples::demo(source_file());
  EXPECT_THAT(as_text(report, {}), HasSubstr("> 4      return eventfd(0, 0);"));
  EXPECT_THAT(as_text(report, {.source = false}), Not(HasSubstr("return eventfd")));
  EXPECT_THAT(as_text(samples::demo("/nowhere/a.cc"), {}), Not(HasSubstr("  > ")));
}

}  // namespace
}  // namespace culprit
