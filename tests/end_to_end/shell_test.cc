// `culprit shell` on a live process and on a core of it: scripts, and a person at a terminal.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "support/run_culprit.h"
#include "support/terminal.h"

namespace culprit::test {
namespace {

using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

class Victim {
 public:
  Victim() : running_({program("console_victim"), folder_ / "ready"}) {
    EXPECT_TRUE(wait_for_file(folder_ / "ready"));
    for (int i = 0; i < 60'000 && !all_wait(); ++i) usleep(1000);
  }
  std::string pid() const { return std::to_string(running_.pid()); }
  pid_t process() const { return running_.pid(); }
  // A core of it by gcore; empty: there is no gcore.
  std::string core() const {
    if (tool("gcore").empty()) return "";
    Ran ran = run({tool("gcore"), "-o", folder_ / "core", pid()});
    EXPECT_EQ(ran.ending(), "exit 0") << ran.err;
    return (folder_ / "core.") + pid();
  }

 private:
  bool all_wait() const {
    size_t waiting = 0;
    for (const auto& task : std::filesystem::directory_iterator("/proc/" + pid() + "/task"))
      waiting += contents(task.path().string() + "/stat").find(") S ") != std::string::npos;
    return waiting == 4;
  }
  TemporaryFolder folder_;
  Running running_;
};

Ran shell(const std::string& target, const std::string& commands) {
  return run({culprit_path(), "shell", target, "-c", commands});
}

// What must be the same of a process and of its core.
void expect_answers(const std::string& target) {
  auto said = [&](const std::string& commands) {
    Ran ran = shell(target, commands);
    EXPECT_EQ(ran.ending(), "exit 0") << commands << "\n" << ran.err;
    return ran.out;
  };
  EXPECT_THAT(said("~"), ContainsRegex("\\.   0  Id: .*\n.*   1  Id: .*\n.*   2  Id: .*\n.*   3  Id: "));
  std::string stack = said("~1kn");
  EXPECT_THAT(stack, AllOf(HasSubstr("console_victim!store::Shelf::wait_for_delivery"),
                           HasSubstr("console_victim!store::open_shop"), HasSubstr("console_victim.cc @ ")));
  EXPECT_THAT(stack, HasSubstr(" # Child-SP     RetAddr      Call Site\n"));
  EXPECT_EQ(std::ranges::count(said("~1k 2"), '\n'), 3) << "a heading and two frames";
  EXPECT_THAT(said("~1kb"), HasSubstr("in system call 0: ")) << "read() and its arguments";
  EXPECT_THAT(said("~1s; kc"), AllOf(HasSubstr("store::open_shop\n"), Not(HasSubstr("RetAddr"))));
  std::string all = said("~*k");
  size_t shops = 0;
  for (size_t at = all.find("store::open_shop"); at != all.npos; at = all.find("store::open_shop", at + 1)) ++shops;
  EXPECT_EQ(shops, 3u) << all;
  EXPECT_THAT(said("~1kv"), HasSubstr("(by unwind table)"));
  EXPECT_THAT(said("!findstack console_victim!store::open"),
              AllOf(HasSubstr("3 of 4 threads have"), ContainsRegex("\\* [0-9]+ .*store::open_shop")));
  EXPECT_THAT(said("!findstack open_sh 0"), HasSubstr("0 of 4 threads"));
  EXPECT_THAT(said("!uniqstack"), AllOf(HasSubstr("and 2 more with the same stack"), HasSubstr("Total threads: 4\n"),
                                        HasSubstr("Duplicate callstacks: 2")));
  EXPECT_THAT(said("? dwo(g_limit)"), HasSubstr("= 0000000000001234"));
  EXPECT_THAT(said("? console_victim!g_limit"), HasSubstr("console_victim!g_limit\n"));
  EXPECT_THAT(said("da g_greeting"), HasSubstr("\"greetings from the victim\"\n"));
  EXPECT_THAT(said("dps g_greeting_pointer L1"), HasSubstr("console_victim!g_greeting\n"));
  EXPECT_THAT(said("db g_greeting L10"), HasSubstr("greetings from t\n"));
  EXPECT_THAT(said("x console_victim!g_*"),
              AllOf(HasSubstr("console_victim!g_limit   (data, 0x4 bytes)"), HasSubstr("g_greeting_pointer")));
  EXPECT_THAT(said("ln store::open_shop"), AllOf(HasSubstr("Exact matches:\n    console_victim!store::open_shop(int)"),
                                                 HasSubstr("console_victim.cc @ ")));
  EXPECT_THAT(said("lsa store::open_shop"), AllOf(HasSubstr(">"), HasSubstr("// where it waits")));
  EXPECT_THAT(said("lm m console*"), HasSubstr("/console_victim\n"));
  EXPECT_THAT(said("uf store::open_shop"),
              AllOf(HasSubstr("console_victim!store::open_shop(int):\n"), HasSubstr("call"), HasSubstr("ret")));
  EXPECT_THAT(said("~1s; r"), AllOf(HasSubstr("rip="), HasSubstr("r15="), HasSubstr("libc!")));
  EXPECT_THAT(said("~1s; ? by(@rip - 2) == 0f && by(@rip - 1) == 05"), HasSubstr("= 0000000000000001"))
      << "it stands behind a syscall instruction";
}

TEST(Shell, AnswersAboutALiveProcess) {
  Victim victim;
  expect_answers(victim.pid());
  EXPECT_EQ(kill(victim.process(), 0), 0);
}

TEST(Shell, AnswersAboutACore) {
  Victim victim;
  std::string core = victim.core();
  if (core.empty()) GTEST_SKIP() << "there is no gcore";
  expect_answers(core);
}

TEST(Shell, TakesAScriptFromStandardInputAndFailsWithIt) {
  Victim victim;
  Ran ran = run({culprit_path(), "shell", victim.pid()}, {.input = "* a comment\n? 2+2\n\nnonsense\n? 3+3\n"});
  EXPECT_THAT(ran.out, AllOf(HasSubstr("= 0000000000000004"), Not(HasSubstr("= 0000000000000006"))));
  EXPECT_THAT(ran.err, HasSubstr("no command nonsense"));
  EXPECT_EQ(ran.ending(), "exit 2");
  EXPECT_EQ(run({culprit_path(), "shell", victim.pid()}, {.input = "? 1\nq\nnonsense\n"}).ending(), "exit 0");
}

TEST(Shell, EndsAScriptAtTheFirstCommandThatFails) {
  Victim victim;
  Ran ran = shell(victim.pid(), "bp 0x10; g; .echo never");
  EXPECT_EQ(ran.ending(), "exit 2") << "and does not run on for ever";
  EXPECT_THAT(ran.out, Not(HasSubstr("never")));
  EXPECT_THAT(ran.err, HasSubstr("there is no code at 0x10"));
}

TEST(Shell, ListsHandlesByTheWordsOfWinDbg) {
  TemporaryFolder folder;
  Running running({"/bin/sh", "-c", "exec 5</etc/passwd; : > " + folder / "ready" + "; while :; do sleep 1; done"});
  ASSERT_TRUE(wait_for_file(folder / "ready"));
  const std::string pid = std::to_string(running.pid());
  EXPECT_THAT(shell(pid, "!handle 0 f File").out,
              AllOf(HasSubstr("handle"), HasSubstr("5  file"), HasSubstr("/etc/passwd")));
  EXPECT_THAT(shell(pid, "!handle 0 0 File").out, Not(HasSubstr("/etc/passwd")));
  EXPECT_THAT(shell(pid, "!handle 0 f Event").out, HasSubstr("0 handles asked for"));
  EXPECT_THAT(shell(pid, "!handle (2+3) f").out, AllOf(HasSubstr("handle 5 of"), HasSubstr("/etc/passwd")));
}

TEST(Shell, ComplainsAboutWhatIsNoTarget) {
  TemporaryFolder folder;
  write_file(folder / "text", "no core\n");
  for (const std::string& target : {folder / "text", folder / "missing", std::string("999999999")}) {
    Ran ran = run({culprit_path(), "shell", target, "-c", "~"});
    EXPECT_EQ(ran.ending(), "exit 2");
    EXPECT_EQ(std::ranges::count(ran.err, '\n'), 1) << ran.err;
  }
}

TEST(Shell, AsksARecordingAboutHandles) {
  TemporaryFolder folder;
  std::string recording = folder / "x.culprit";
  run({culprit_path(), "run", "-o", recording, "--", "/bin/sh", "-c", "exec 5</dev/null; exec 5<&-; true"});
  Ran ran = shell(recording, "handles; !htrace 5; status");
  EXPECT_EQ(ran.ending(), "exit 0") << ran.err;
  EXPECT_THAT(shell(recording, "~").err, HasSubstr("is a recording of handles"));
}

TEST(Shell, OutlivesItsTarget) {
  Running culprit({culprit_path(), "shell", std::to_string(Victim().process()), "-c", "~"});
  Ran ran = culprit.wait();  // it may have been there, or not
  EXPECT_THAT(ran.ending(), ::testing::AnyOf("exit 0", "exit 2"));
}

struct Person {
  explicit Person(const Victim& victim)
      : terminal({culprit_path(), "shell", victim.pid()},
                 {"TERM=vt100", "NO_COLOR=1", "XDG_STATE_HOME=" + folder.path()}) {}
  TemporaryFolder folder;
  Terminal terminal;
};

TEST(ShellAtATerminal, CompletesCommandsAndSymbols) {
  Victim victim;
  Person person(victim);
  Terminal& terminal = person.terminal;
  terminal.sees(":000> ");
  terminal.type("!finds\t");
  terminal.sees("tack ");  // the terminal is told what is new on the line
  terminal.type("console_victim!store::op\t");
  terminal.sees("en_shop ");
  terminal.type("0\n");
  terminal.sees("3 of 4 threads have");
  terminal.type("x console_vic\t");
  terminal.sees("tim!");
  terminal.type("g_lim\t\n");
  terminal.sees("console_victim!g_limit   (data");
  terminal.type("q\n");
  EXPECT_EQ(terminal.wait(), 0);
}

TEST(ShellAtATerminal, StopsACommandAtCtrlCAndNotItself) {
  Victim victim;
  Person person(victim);
  Terminal& terminal = person.terminal;
  terminal.sees(":000> ");
  terminal.type(".echo begun; sleep 60min; .echo not reached\n");
  terminal.sees("\nbegun");
  terminal.type("\x03");
  terminal.sees("stopped by Ctrl-C");
  terminal.sees(":000> ");
  terminal.type("garbage");
  terminal.sees("garbage");
  terminal.type("\x03");
  terminal.sees(":000> ");
  terminal.type(".echo alive\n");
  terminal.sees("\nalive");
  terminal.type("nonsense\n");  // what a person mistypes is no failure
  terminal.sees("no command nonsense");
  terminal.sees(":000> ");
  terminal.type("\x04");
  EXPECT_EQ(terminal.wait(), 0);
  EXPECT_EQ(kill(victim.process(), 0), 0);
}

TEST(ShellAtATerminal, RemembersCommands) {
  Victim victim;
  TemporaryFolder folder;
  Words environment{"TERM=vt100", "XDG_STATE_HOME=" + folder.path()};
  {
    Terminal terminal({culprit_path(), "shell", victim.pid()}, environment);
    terminal.sees(":000> ");
    terminal.type("? 0n1111 + 0n2222\n");
    terminal.sees("Evaluate expression: 3333");
    terminal.type("q\n");
    EXPECT_EQ(terminal.wait(), 0);
  }
  struct stat status {};
  ASSERT_EQ(stat((folder / "culprit/history").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  Terminal terminal({culprit_path(), "shell", victim.pid()}, environment);
  terminal.sees(":000> ");
  terminal.type("\x10\x10");  // the line before the last: q, then the expression
  terminal.sees("0n2222");
  terminal.type("\n");
  terminal.sees("Evaluate expression: 3333");
  terminal.type("db g_greeting L8\n");
  terminal.sees("greeting");
  terminal.type("\n");  // goes on
  terminal.sees("73 20 66 72 6f 6d");
  terminal.type("q\n");
  EXPECT_EQ(terminal.wait(), 0);
}

}  // namespace
}  // namespace culprit::test
