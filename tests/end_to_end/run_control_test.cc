// Running a process from the console, as scripts do.
#include <gtest/gtest.h>

#include "support/run_culprit.h"

namespace culprit::test {
namespace {

class Busy {
 public:
  Busy() : running_({tool("sleep"), "1000"}) {}
  Ran shell(const std::string& commands) {
    return run({culprit_path(), "shell", std::to_string(running_.pid()), "-c", commands});
  }

 private:
  Running running_;
};

TEST(RunControl, ListsAndRemovesBreakpoints) {
  Busy busy;
  Ran ran = busy.shell("bp libc!open; bp /1 libc!close 3 \"k; gc\"; bd 1; bl; bc 0; bl; bc *; bl");
  EXPECT_EQ(ran.exit_code(), 0) << ran.err;
  EXPECT_NE(ran.out.find("libc!open  0 hits"), std::string::npos) << ran.out;
  EXPECT_NE(ran.out.find(" 1 d "), std::string::npos) << ran.out;
  EXPECT_NE(ran.out.find("there are no breakpoints"), std::string::npos) << ran.out;
}

TEST(RunControl, ABoundEndsTheRun) {
  Busy busy;
  Ran ran = busy.shell("bp libc!abort \"j (@rdi == 1) 'k'; 'gc'\"; g 50ms; bl");
  EXPECT_EQ(ran.exit_code(), 0) << ran.err;
  EXPECT_NE(ran.out.find("broken in"), std::string::npos) << ran.out;
}

TEST(RunControl, WaitsForALibraryThatIsNotThereYet) {
  Busy busy;
  Ran ran = busy.shell("bu libnowhere!f; bl");
  EXPECT_EQ(ran.exit_code(), 0) << ran.err;
  EXPECT_NE(ran.out.find("not loaded yet"), std::string::npos) << ran.out;
}

TEST(RunControl, WhatMakesNoSenseIsSaid) {
  Busy busy;
  EXPECT_EQ(busy.shell("bp /2 open").exit_code(), 2);
  EXPECT_EQ(busy.shell("bp open k").exit_code(), 2);
  EXPECT_EQ(busy.shell("bc 7").exit_code(), 2);
  EXPECT_EQ(busy.shell("g 10x").exit_code(), 2);
  EXPECT_EQ(busy.shell("bp 10").exit_code(), 2);
  EXPECT_NE(busy.shell("bp fade").err.find("the function of that name is MODULE!fade"), std::string::npos);
}

}  // namespace
}  // namespace culprit::test
