// Breakpoints as people use them, in scripts and at a terminal.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "support/run_culprit.h"
#include "support/terminal.h"

namespace culprit::test {
namespace {

using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

std::string library() { return program("libquiet_plugin.so"); }

class Victim {
 public:
  explicit Victim(const Words& options = {}) : running_(command(options)) {
    EXPECT_TRUE(wait_for_file(folder_ / "ready"));
  }
  std::string pid() const { return std::to_string(running_.pid()); }
  pid_t process() const { return running_.pid(); }
  Ran shell(const std::string& commands) const { return run({culprit_path(), "shell", pid(), "-c", commands}); }

  // What it has done again; false: it is no more.
  bool goes_on() const {
    std::string now = rounds();
    for (int i = 0; i < 60'000 && rounds() == now && !now.empty(); ++i) usleep(1000);
    return rounds() != now && !rounds().empty() &&
           contents("/proc/" + pid() + "/status").find("TracerPid:\t0") != now.npos;
  }

 private:
  Words command(const Words& options) const {
    Words words{program("breakpoint_victim"), folder_ / "ready"};
    words.insert(words.end(), options.begin(), options.end());
    return words;
  }
  // It sleeps in each round.
  std::string rounds() const {
    std::string text = contents("/proc/" + pid() + "/status");
    if (text.find("\nState:\tZ") != text.npos) return "";
    size_t at = text.find("\nvoluntary_ctxt_switches:");
    return at == text.npos ? "" : text.substr(at, text.find('\n', at + 1) - at);
  }

  TemporaryFolder folder_;
  Running running_;
};

struct Person {
  explicit Person(const Victim& victim)
      : terminal({culprit_path(), "shell", victim.pid()},
                 {"TERM=vt100", "NO_COLOR=1", "XDG_STATE_HOME=" + folder.path()}) {
    terminal.sees(":000> ");
  }
  TemporaryFolder folder;
  Terminal terminal;
};

TEST(Breakpoints, TheClassicRecipeFindsWhoAllocatesThatSize) {
  Victim victim;
  Ran ran = victim.shell(R"(bp malloc "j (@rdi == 0xa45c) 'k'; 'gc'"; g; ? @rdi; bl)");
  EXPECT_EQ(ran.ending(), "exit 0") << ran.err;
  EXPECT_THAT(ran.out, AllOf(HasSubstr("breakpoint_victim!keep"), HasSubstr("breakpoint_victim!place_large_order"),
                             Not(HasSubstr("place_small_order")), HasSubstr("= 000000000000a45c"),
                             ContainsRegex("[0-9]+ hits?, 1 match\n")));
  EXPECT_TRUE(victim.goes_on());
}

TEST(Breakpoints, TheSameIsWrittenWithDotIf) {
  Victim victim;
  Ran ran = victim.shell(R"(bp malloc ".if (@rdi == 0xa45c) { k 3; ? @rdi } .else { gc }"; g; bl)");
  EXPECT_EQ(ran.ending(), "exit 0") << ran.err;
  EXPECT_THAT(ran.out,
              AllOf(HasSubstr("place_large_order"), HasSubstr("= 000000000000a45c"), HasSubstr(", 1 match\n")));
}

TEST(Breakpoints, CommandsMayLetItRunOnEachTime) {
  Victim victim;
  Ran ran = victim.shell(R"(bp place_large_order ".echo an order; gc"; bp place_small_order 0n30 "k 1"; g)");
  EXPECT_EQ(ran.ending(), "exit 0") << ran.err;
  EXPECT_THAT(ran.out, AllOf(ContainsRegex("an order\nan order\n(.|\n)*an order\n"), HasSubstr("place_small_order")));
}

TEST(Breakpoints, StopsFromTheNthTimeOn) {
  Victim victim;
  Ran ran = victim.shell("bp place_small_order 5; g; bl");
  EXPECT_EQ(ran.ending(), "exit 0") << ran.err;
  EXPECT_THAT(ran.out, AllOf(HasSubstr("Breakpoint 0 hit"), HasSubstr("5 hits  stops from number 5 on")));
}

TEST(Breakpoints, WhereAFunctionBeginsItsArgumentsAreKnown) {
  Victim victim;
  Ran ran = victim.shell("bp malloc; g; kb 2");
  EXPECT_EQ(ran.ending(), "exit 0") << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("arguments, up to six: 0x"));
}

TEST(Breakpoints, OfALibraryThatIsLoadedLaterAndAgain) {
  TemporaryFolder folder;
  Victim victim({"load", library(), folder / "go"});
  Person person(victim);
  Terminal& terminal = person.terminal;
  terminal.type("bu libquiet_plugin!run_plugin\n");
  terminal.sees("is set when one with it is loaded");
  write_file(folder / "go", "");
  for (int round = 1; round <= 3; round++) {
    terminal.type("g\n");
    terminal.sees("Breakpoint 0 hit");
    terminal.sees(":000> ");
    terminal.type("kc\n");
    terminal.sees("libquiet_plugin!run_plugin");
    terminal.sees("breakpoint_victim!use_library");
    terminal.sees(":000> ");
  }
  terminal.type("bl\n");
  terminal.sees("3 hits");
  terminal.sees(":000> ");
  terminal.type("q\n");
  EXPECT_EQ(terminal.wait(), 0);
  EXPECT_TRUE(victim.goes_on());
}

// What was set by address or with bp goes with its library, and harms nothing that lies there afterwards.
TEST(Breakpoints, OfALibraryThatGoes) {
  TemporaryFolder folder;
  write_file(folder / "go", "");
  Victim victim({"load", library(), folder / "go"});
  Ran ran = victim.shell(
      "bu libquiet_plugin!run_plugin; g; bp libquiet_plugin!inner_work; g; bc 0; bp dlclose 3; g; bc *; g 20ms");
  EXPECT_EQ(ran.ending(), "exit 0") << ran.err;
  EXPECT_TRUE(victim.goes_on());
}

// "~2 bp" means that thread, and no other.
TEST(Breakpoints, OfOneThread) {
  Victim victim;
  Ran none = victim.shell("bp /t 999999999 malloc; g");
  EXPECT_EQ(none.ending(), "exit 2");
  EXPECT_THAT(none.err, HasSubstr("there is no thread with the id 999999999"));
  Ran ran = victim.shell("~0 bp place_small_order; bl; g; bl");
  EXPECT_EQ(ran.ending(), "exit 0") << ran.err;
  EXPECT_THAT(ran.out, AllOf(HasSubstr("  tid " + victim.pid() + "\n"), HasSubstr("Breakpoint 0 hit")));
}

// Nothing could take them out of it if culprit were killed.
TEST(Breakpoints, AreRefusedToAProcessUnderSeccomp) {
  Victim victim({"cell"});
  ASSERT_TRUE(victim.goes_on());
  Ran refused = victim.shell("bp place_small_order; g 5ms");
  EXPECT_EQ(refused.ending(), "exit 2");
  EXPECT_THAT(refused.err, HasSubstr("has a seccomp filter"));
  EXPECT_EQ(std::ranges::count(refused.err, '\n'), 1) << refused.err;
  Ran ran = victim.shell("bl; t 3; r; g 5ms");
  EXPECT_EQ(ran.ending(), "exit 0") << ran.err;
  EXPECT_THAT(ran.out, AllOf(HasSubstr("there are no breakpoints"), HasSubstr("rip=")));
  EXPECT_TRUE(victim.goes_on());
}

// Whoever is killed: what the program meets next is its own code.
TEST(Breakpoints, SurviveTheDeathOfConsoleAndEngine) {
  Victim victim;
  Ran before = victim.shell("u place_small_order L2");
  {
    Person person(victim);
    person.terminal.type("bp place_small_order \".echo met; gc\"\n");
    person.terminal.sees(":000> ");
    person.terminal.type("g\n");
    person.terminal.sees("\nmet");
    std::vector<pid_t> engines = children_of(person.terminal.pid());
    ASSERT_FALSE(engines.empty());
    kill(person.terminal.pid(), SIGKILL);
    for (pid_t engine : engines) kill(engine, SIGKILL);
    EXPECT_EQ(WTERMSIG(person.terminal.wait()), SIGKILL);
  }
  ASSERT_TRUE(victim.goes_on());
  ASSERT_TRUE(victim.goes_on()) << "it has met the place again";
  EXPECT_EQ(victim.shell("u place_small_order L2").out, before.out);
}

TEST(BreakpointsAtATerminal, CtrlCBreaksIn) {
  Victim victim;
  Person person(victim);
  Terminal& terminal = person.terminal;
  terminal.type("bp place_large_order \".echo an order; gc\"\n");
  terminal.sees(":000> ");
  terminal.type("g\n");
  terminal.sees("\nan order");
  terminal.type("\x03");
  terminal.sees("broken in");
  terminal.sees(":000> ");
  terminal.type("bc *; g 5ms\n");
  terminal.sees("broken in");
  terminal.sees(":000> ");
  terminal.type("kc\n");
  terminal.sees("breakpoint_victim!main");
  terminal.type("q\n");
  EXPECT_EQ(terminal.wait(), 0);
  EXPECT_TRUE(victim.goes_on());
}

TEST(BreakpointsAtATerminal, CtrlCStopsStepsAndNotTheConsole) {
  Victim victim;
  Person person(victim);
  Terminal& terminal = person.terminal;
  terminal.type("t 0n100000000\n");
  terminal.sees("libc!");
  terminal.type("\x03");
  terminal.sees("stopped by Ctrl-C");
  terminal.sees(":000> ");
  terminal.type("g 1ms\n");
  terminal.sees("broken in");
  terminal.type("q\n");
  EXPECT_EQ(terminal.wait(), 0);
  EXPECT_TRUE(victim.goes_on());
}

TEST(BreakpointsAtATerminal, LocksAndStacksAreAskedOfWhatIsHeld) {
  Victim victim;
  Ran ran = victim.shell("break; stacks; locks; !cs; !handle; g 1ms");
  EXPECT_EQ(ran.ending(), "exit 0") << ran.err;
  EXPECT_THAT(victim.shell("!cs -s").err, HasSubstr("where a lock was initialised is recorded nowhere"));
  EXPECT_THAT(ran.out, AllOf(HasSubstr("all threads are held here"), HasSubstr("breakpoint_victim")));
  EXPECT_TRUE(victim.goes_on());
}

}  // namespace
}  // namespace culprit::test
