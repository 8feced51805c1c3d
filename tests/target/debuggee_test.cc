#include "target/debuggee.h"

#include <gtest/gtest.h>
#include <sys/syscall.h>

#include "target/debugged_program.h"
#include "target/ptrace_threads.h"

namespace culprit {
namespace {

const RunBound for_ever{};
constexpr uint64_t never = 0xdead0000;

std::unique_ptr<Debuggee> attach(const DebuggedProgram& program) {
  auto attached = Debuggee::attach(program.pid());
  EXPECT_TRUE(attached) << (attached ? "" : attached.error().what);
  return attached ? std::move(*attached) : nullptr;
}

RunBound until_done(const DebuggedProgram& program) {
  return {.wants_break_in = [&program] { return program.words().done == 1; }};
}

TEST(Debuggee, CountsEveryHitOfSixteenThreadsForEveryKindOfInstruction) {
  constexpr uint64_t threads = 16, times = 500;
  for (const CountedCase& counted : counted_cases()) {
    SCOPED_TRACE(counted.name);
    DebuggedProgram program([&](SharedWords&) { call_in_threads(counted.function, threads, times); });
    ASSERT_TRUE(wait_until([&] { return program.words().started == threads; }));
    auto debuggee = attach(program);
    ASSERT_NE(debuggee, nullptr);
    auto id = debuggee->set_breakpoint({.address = counted.place}, first_argument_is(never));
    ASSERT_TRUE(id) << id.error().what;
    program.words().may_begin = 1;
    auto stop = debuggee->go(until_done(program));
    ASSERT_TRUE(stop) << stop.error().what;
    EXPECT_EQ(stop->kind, DebugStopKind::broken_in);
    auto states = debuggee->breakpoints();
    ASSERT_TRUE(states);
    ASSERT_EQ(states->size(), 1u);
    EXPECT_EQ(states->front().hits, threads * times);
    EXPECT_EQ(states->front().matches, 0u);
    EXPECT_TRUE(debuggee->detach());
    EXPECT_TRUE(is_code_as_ours(program.pid()));
    EXPECT_EQ(program.end(), 7 << 8);
    EXPECT_EQ(program.words().calls, threads * times);
    EXPECT_EQ(program.words().wrong, 0u);
  }
}

TEST(Debuggee, StopsWhereTheConditionHolds) {
  DebuggedProgram program([](SharedWords&) { call_in_threads(begins_with_endbr, 4, 1000); });
  ASSERT_TRUE(wait_until([&] { return program.words().started == 4; }));
  auto debuggee = attach(program);
  ASSERT_NE(debuggee, nullptr);
  auto id = debuggee->set_breakpoint({.address = address_of(begins_with_endbr)}, first_argument_is(777));
  ASSERT_TRUE(id);
  program.words().may_begin = 1;
  for (int i = 0; i < 4; i++) {
    auto stop = debuggee->go(for_ever);
    ASSERT_TRUE(stop);
    EXPECT_EQ(stop->kind, DebugStopKind::breakpoint);
    EXPECT_EQ(stop->breakpoint, *id);
    auto thread = debuggee->thread(stop->tid);
    ASSERT_TRUE(thread);
    EXPECT_EQ(thread->registers.rip, address_of(begins_with_endbr));
    EXPECT_EQ(thread->registers.rdi, 777u);
  }
  auto stop = debuggee->go(until_done(program));
  ASSERT_TRUE(stop);
  EXPECT_EQ(stop->kind, DebugStopKind::broken_in);
  EXPECT_EQ(debuggee->breakpoints()->front().hits, 4000u);
  EXPECT_EQ(debuggee->breakpoints()->front().matches, 4u);
  debuggee.reset();
  EXPECT_EQ(program.end(), 7 << 8);
  EXPECT_EQ(program.words().wrong, 0u);
}

// /proc/PID has neither memory nor mappings then.
TEST(Debuggee, DebugsAProcessWhoseFirstThreadHasEnded) {
  DebuggedProgram program([](SharedWords& words) {
    std::thread([&words] {
      call_in_threads(begins_with_push, 2, 1000);
      words.done = 1;
      for (;;) pause();
    }).detach();
    syscall(SYS_exit, 0);  // as pthread_exit does, without unwinding the test
  });
  ASSERT_TRUE(wait_until([&] { return program.words().started == 2 && is_ending(program.pid(), program.pid()); }));
  auto debuggee = attach(program);
  ASSERT_TRUE(debuggee);
  auto id = debuggee->set_breakpoint({.address = address_of(begins_with_push)}, first_argument_is(500));
  ASSERT_TRUE(id) << id.error().what;
  program.words().may_begin = 1;
  for (int i = 0; i < 2; i++) {
    auto stop = debuggee->go({});
    ASSERT_TRUE(stop) << stop.error().what;
    EXPECT_EQ(stop->kind, DebugStopKind::breakpoint);
  }
  EXPECT_TRUE(debuggee->detach());
  EXPECT_TRUE(wait_until([&] { return program.words().done == 1; }));
  EXPECT_TRUE(is_code_as_ours(program.pid()));
  EXPECT_EQ(program.words().calls, 2000u);
}

TEST(Debuggee, RefusesToStopItsOwnProcess) {
  auto debuggee = Debuggee::attach(static_cast<uint32_t>(getpid()));
  ASSERT_FALSE(debuggee);
  EXPECT_EQ(debuggee.error().kind, ErrorKind::unsupported);
}

}  // namespace
}  // namespace culprit
