// The console's words about a small target made of bytes: a script's output and complaints.
#include "shell/console.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <map>
#include <string>

#include "shell/console_commands.h"
#include "shell/console_session.h"
#include "shell/interrupts.h"

namespace culprit {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr uint64_t data_start = 0x10000, code_start = 0x20000, page = 0x1000;

class Bytes16 final : public MemoryReader {
 public:
  bool read(uint64_t address, std::span<std::byte> into) override {
    for (const auto& [start, bytes] : pieces) {
      if (address < start || address - start > bytes.size() || into.size() > bytes.size() - (address - start)) continue;
      memcpy(into.data(), bytes.data() + (address - start), into.size());
      return true;
    }
    return false;
  }
  std::map<uint64_t, std::string> pieces;
};

class SmallTarget final : public Target {
 public:
  SmallTarget() {
    info_.name = "small";
    info_.pid = 100;
    info_.signal_tid = 102;
    memory_.pieces[data_start] = std::string("Hello, console\0\xff", 16) + std::string("\x41\x00\xe9\x00\x00\x00", 6) +
                                 std::string(page - 22, '\0');
    // push rbp; mov rbp, rsp; nop; ret
    memory_.pieces[code_start] = std::string("\x55\x48\x89\xe5\x90\xc3", 6) + std::string(page - 6, '\x90');
    mappings_ = {{.start = data_start,
                  .end = data_start + page,
                  .offset = 0,
                  .path = "[heap]",
                  .is_readable = true,
                  .is_writable = true},
                 {.start = code_start,
                  .end = code_start + page,
                  .offset = 0,
                  .path = "/nowhere/small",
                  .is_readable = true,
                  .is_executable = true}};
    modules_.push_back({.module = {"/nowhere/libsmall.so.1", "abcd"},
                        .opened_path = "",
                        .start = code_start,
                        .end = code_start + page,
                        .bias = code_start,
                        .segments = {},
                        .missing = "its file is not here"});
  }
  const TargetInfo& info() const override { return info_; }
  Result<std::vector<TargetThread>> threads(ThreadWish) override {
    std::vector<TargetThread> threads;
    for (uint32_t tid = 100; tid < 103; ++tid) {
      TargetThread thread;
      thread.tid = tid;
      thread.name = tid == 101 ? "work\x1b" : "";
      thread.state = 'S';
      thread.known = RegistersKnown::all;
      thread.registers.rip = code_start + 4;
      thread.registers.rax = tid;
      thread.registers.rsp = data_start;
      threads.push_back(thread);
    }
    return threads;
  }
  MemoryReader& stack_memory(const TargetThread&) override { return memory_; }
  MemoryReader& memory() override { return memory_; }
  const std::vector<TargetMapping>& mappings() override { return mappings_; }
  const std::vector<TargetModule>& modules() override { return modules_; }

 private:
  TargetInfo info_;
  Bytes16 memory_;
  std::vector<TargetMapping> mappings_;
  std::vector<TargetModule> modules_;
};

std::string contents_of(int fd) {
  std::string text(static_cast<size_t>(lseek(fd, 0, SEEK_END)), '\0');
  EXPECT_EQ(pread(fd, text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
  return text;
}

struct Told {
  explicit Told(bool with_target = true) : session("small"), console(session, streams) {
    if (with_target) session.set_target(std::make_unique<SmallTarget>());
  }
  ~Told() { close(streams.output), close(streams.errors); }
  // What the command said, and complained.
  std::string say(std::string_view line) {
    size_t before = contents_of(streams.output).size(), errors_before = contents_of(streams.errors).size();
    console.execute(line);
    return contents_of(streams.output).substr(before) + contents_of(streams.errors).substr(errors_before);
  }
  Streams streams{memfd_create("output", 0), memfd_create("errors", 0)};
  ConsoleSession session;
  Console console;
};

TEST(Console, SuggestsTheNearestWordAndGoesOn) {
  Told told;
  EXPECT_THAT(told.say("!findstak x; .echo more"),
              testing::AllOf(HasSubstr("did you mean !findstack?"), HasSubstr("more")));
  EXPECT_TRUE(told.console.has_complained());
  EXPECT_THAT(told.say("xyzzyplugh"), HasSubstr("there is no command xyzzyplugh; help lists them"));
}

TEST(Console, HelpNamesEveryCommandOnce) {
  std::string help = console_help();
  for (const ConsoleCommand& command : console_commands()) {
    ASSERT_NE(command.run, nullptr) << command.names;
    std::string_view name = command.names.substr(0, command.names.find(' '));
    EXPECT_THAT(help, HasSubstr("  " + std::string(name) + " ")) << name;
    EXPECT_EQ(find_console_command(name), &command) << name;
  }
}

TEST(Console, EvaluatesExpressions) {
  Told told;
  EXPECT_EQ(told.say("? 0n10 + 6"), "Evaluate expression: 16 = 0000000000000010\n");
  EXPECT_EQ(told.say("?by(@rsp)"), "Evaluate expression: 72 = 0000000000000048\n");
  EXPECT_THAT(told.say("? 10004"), HasSubstr("[heap]+0x4"));
  EXPECT_THAT(told.say("? 1 +"), HasSubstr("something is missing (character 4 of '1 +')"));
  EXPECT_THAT(told.say(".formats 41"), testing::AllOf(HasSubstr("Decimal: 65"), HasSubstr("Chars:   .......A")));
  EXPECT_EQ(told.say("n 10; ? 16"), "base is 10\nEvaluate expression: 16 = 0000000000000010\n");
}

TEST(Console, DecidesByConditions) {
  Told told;
  EXPECT_EQ(told.say("j (@rax == 0n102) '.echo yes; .echo more'; '.echo no'"), "yes\nmore\n");
  EXPECT_EQ(told.say("j 0 '.echo yes'; '.echo no'"), "no\n");
  EXPECT_EQ(told.say("j 0 '.echo yes'"), "");
  EXPECT_EQ(told.say(".if (1 > 2) {.echo a} .elsif (2 > 1) {.echo b; .echo c} .else {.echo d}; .echo e"), "b\nc\ne\n");
  EXPECT_THAT(told.say(".if (1) .echo a"), HasSubstr("brace is missing"));
  EXPECT_THAT(told.say("j 1 'j 1 \"j 1 k\"'"), Not(HasSubstr("no command j")));
}

TEST(Console, BoundsCommandsWithinCommands) {
  Told told;
  std::string line = ".echo deep";
  for (int i = 0; i < 40; ++i) line = ".if (1) {" + line + "}";
  EXPECT_THAT(told.say(line), HasSubstr("too many commands within each other"));
  EXPECT_EQ(told.say(".echo still"), "still\n");
}

TEST(Console, ListsThreadsAndMakesOneCurrent) {
  Told told;
  std::string list = told.say("~");
  EXPECT_THAT(list, HasSubstr("   1  Id: 64.65  tid 101     S \"work\\x1b\""));
  EXPECT_THAT(list, HasSubstr(".   2  Id: 64.66")) << "who died is the current one at first";
  EXPECT_EQ(told.session.prompt(), "culprit small:002> ");
  EXPECT_THAT(told.say("~0s"), HasSubstr("Id: 64.64"));
  EXPECT_EQ(told.session.current_tid(), 100u);
  told.say("~~[65]s");
  EXPECT_EQ(told.session.current_tid(), 101u);
  told.say("~#s");
  EXPECT_EQ(told.session.current_tid(), 102u);
  EXPECT_EQ(told.say("~0 r rax"), "rax=0000000000000064\n");
  EXPECT_EQ(told.say("~1e r eax"), "eax=00000065\n");
  EXPECT_EQ(told.session.current_tid(), 102u);
  EXPECT_THAT(told.say("~*e r al"), testing::AllOf(HasSubstr("al=64"), HasSubstr("al=65"), HasSubstr("al=66")));
  EXPECT_THAT(told.say("~7s"), HasSubstr("no thread number 7"));
  EXPECT_THAT(told.say("~~[7]"), HasSubstr("no thread with the id 7"));
  EXPECT_THAT(told.say("~*s"), HasSubstr("only one thread"));
  EXPECT_THAT(told.say("~x"), HasSubstr("names no thread"));
}

TEST(Console, DumpsMemoryInEveryForm) {
  Told told;
  EXPECT_EQ(told.say("db 10000 L10"),
            "0000000000010000  48 65 6c 6c 6f 2c 20 63-6f 6e 73 6f 6c 65 00 ff  Hello, console..\n");
  EXPECT_EQ(told.say("dw 10000 L2"), "0000000000010000  6548 6c6c\n");
  EXPECT_EQ(told.say("dd 10000 10007"), "0000000000010000  6c6c6548 63202c6f\n");
  EXPECT_EQ(told.say("dq 10000 L1"), "0000000000010000  63202c6f6c6c6548\n");
  EXPECT_EQ(told.say("dc 10000 L1"), "0000000000010000  6c6c6548                             Hell\n");
  EXPECT_EQ(told.say("da 10000"), "0000000000010000  \"Hello, console\"\n");
  EXPECT_EQ(told.say("du 10010"), "0000000000010010  \"Aé\"\n");
  EXPECT_EQ(told.say("dps 10fd8 L1; d"), told.say("dps 10fd8 L1; dps 10fe0")) << "d goes on, in the same form";
}

TEST(Console, ShowsMemoryThatIsNotThereAsQuestionMarks) {
  Told told;
  EXPECT_THAT(told.say("db 10ff8 L10"), StartsWith("0000000000010ff8  00 00 00 00 00 00 00 00-?? ?? ??"));
  EXPECT_EQ(told.say("dq 5 L1"), "0000000000000005  ????????????????\n");
  EXPECT_EQ(told.say("da 5"), "0000000000000005  ??\n");
  EXPECT_THAT(told.say("db 0 L200000"), HasSubstr("more than 1 MB"));
  EXPECT_THAT(told.say("db 0 Lffffffffffffffff"), HasSubstr("more than 1 MB"));
  EXPECT_THAT(told.say("db ffffffffffffffff L2"), StartsWith("ffffffffffffffff"));
  EXPECT_THAT(told.say("dd 10000 8"), HasSubstr("lies before the beginning"));
}

TEST(Console, DisassemblesFromTheCurrentInstruction) {
  Told told;
  EXPECT_EQ(told.say("u 20000 L3"),
            "libsmall:\n0000000000020000 55             push    rbp\n0000000000020001 4889e5         mov     rbp, rsp\n"
            "0000000000020004 90             nop\n");
  EXPECT_THAT(told.say("u"), StartsWith("libsmall+0x5:\n0000000000020005 c3             ret"));
  EXPECT_THAT(told.say("u 5"), HasSubstr("no memory at 0x5"));
  EXPECT_THAT(told.say("u 20000 Lffffff"), HasSubstr("more than 10,000"));
  EXPECT_THAT(told.say("uf 20000"), HasSubstr("no symbol says"));
}

TEST(Console, ShowsRegistersAndChangesNone) {
  Told told;
  std::string all = told.say("r");
  EXPECT_THAT(all, HasSubstr("rax=0000000000000066"));
  EXPECT_THAT(all, HasSubstr("0000000000020004 90             nop"));
  EXPECT_EQ(told.say("r rip, al"), "rip=0000000000020004\nal=66\n");
  EXPECT_THAT(told.say("r rax=1"), HasSubstr("changes no registers"));
  EXPECT_THAT(told.say("r foo"), HasSubstr("no register foo"));
}

TEST(Console, TellsModulesAndMappings) {
  Told told;
  EXPECT_THAT(told.say("lm"),
              HasSubstr("0000000000020000 0000000000021000 libsmall         /nowhere/libsmall.so.1  (file missing)"));
  EXPECT_THAT(told.say("lmvm libsmall"),
              testing::AllOf(HasSubstr("build id      abcd"), HasSubstr("its file is not here")));
  EXPECT_THAT(told.say("lm m nothing*"), HasSubstr("no module nothing*"));
  EXPECT_THAT(told.say("lma 20010"), HasSubstr("libsmall"));
  EXPECT_THAT(told.say("!address 10010"), HasSubstr("rw-p    4.1 kB [heap]"));
  EXPECT_THAT(told.say("ln 20010"), HasSubstr("libsmall+0x10: no symbols"));
  EXPECT_THAT(told.say("ln 10010"), HasSubstr("[heap]+0x10, which is no module"));
  EXPECT_THAT(told.say("x libsmall!*"), HasSubstr("no symbol libsmall!*"));
  EXPECT_THAT(told.say("x other!*"), HasSubstr("no module other"));
}

TEST(Console, SetsWhereDebugFilesAreLookedFor) {
  Told told;
  EXPECT_THAT(told.say(".sympath /nowhere:/tmp"),
              testing::AllOf(HasSubstr("/nowhere   (there is no such"), HasSubstr("  /tmp\n")));
  EXPECT_THAT(told.say(".sympath+ /more"), testing::AllOf(HasSubstr("/tmp\n"), HasSubstr("/more")));
  EXPECT_EQ(told.say(".reload"), "");
}

TEST(Console, KeepsALogOfWhatIsShown) {
  Told told;
  std::string path = testing::TempDir() + "/console_test_" + std::to_string(getpid()) + ".log";
  told.say(".logopen " + path);
  EXPECT_EQ(told.say(".echo one; nonsense"), "one\nculprit: there is no command nonsense; help lists them\n");
  told.say(".logclose; .echo two");
  int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  ASSERT_GE(file, 0);
  std::string log = contents_of(file);
  close(file);
  unlink(path.c_str());
  EXPECT_THAT(log, testing::AllOf(HasSubstr("one\n"), HasSubstr("no command nonsense"), Not(HasSubstr("two"))));
  EXPECT_THAT(told.say(".logclose"), HasSubstr("no log is open"));
  EXPECT_THAT(told.say(".logopen /nowhere/at/all"), HasSubstr("No such file"));
}

TEST(Console, TellsWhatIsAsked) {
  Told told;
  EXPECT_EQ(told.say("status"), "process 100: \n3 threads, 1 module, of 1 the file is missing (lmv)\n");
}

TEST(Console, CommentsDoNothing) {
  Told told;
  EXPECT_EQ(told.say("* .echo a; .echo b"), "");
  EXPECT_EQ(told.say("$$ .echo a; .echo b"), "b\n");
}

TEST(Console, SaysWhatARecordingCannotTell) {
  Told told(false);
  for (const char* command : {"~", "k", "db 0", "r", "lm", "x a!b", "u 0", "!uniqstack"})
    EXPECT_THAT(told.say(command), HasSubstr("small is a recording of handles")) << command;
  EXPECT_EQ(told.say("? 2+2"), "Evaluate expression: 4 = 0000000000000004\n");
  EXPECT_THAT(told.say("mark"), HasSubstr("not recorded"));
}

TEST(Console, CompletesCommandsThreadsAndModules) {
  Told told;
  EXPECT_THAT(told.session.completions(split_line("u lib"), "lib", 10), testing::ElementsAre("libsmall!"));
  EXPECT_THAT(told.session.completions(split_line("handles --by"), "--by", 10), testing::ElementsAre("--by"));
}

TEST(Console, StopsAtCtrlC) {
  InterruptCatcher catcher;
  Told told;
  ASSERT_EQ(raise(SIGINT), 0);
  EXPECT_THAT(told.say(".echo hidden; .echo never"),
              testing::AllOf(HasSubstr("stopped by Ctrl-C"), Not(HasSubstr("never"))));
  EXPECT_FALSE(was_interrupted());
}

}  // namespace
}  // namespace culprit
