// What happens to a program that is debugged besides breakpoints: signals, forks, programs executed, ends, waits.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/syscall.h>

#include <cstring>

#include "target/debugged_program.h"
#include "target/ptrace_threads.h"

namespace culprit {
namespace {

constexpr uint64_t never = 0xdead0000;

struct Debugged {
  explicit Debugged(const DebuggedProgram& program) {
    auto attached = Debuggee::attach(program.pid());
    EXPECT_TRUE(attached) << (attached ? "" : attached.error().what);
    if (attached) debuggee = std::move(*attached);
  }
  uint64_t hits() { return debuggee->breakpoints()->front().hits; }
  std::unique_ptr<Debuggee> debuggee;
};

RunBound until(const std::function<bool()>& condition) { return {.wants_break_in = condition}; }

// Forks, vforks and posix_spawns call the function under the breakpoint in the child, too.
TEST(DebuggeeEvents, ChildrenAreNotStoppedByBreakpointsNorCounted) {
  DebuggedProgram program([](SharedWords& words) {
    words.started = 1;
    while (words.may_begin == 0) usleep(200);
    for (int i = 0; i < 20; i++) {
      begins_with_endbr(1);
      pid_t child = fork();
      if (child == 0) _exit(begins_with_endbr(1) == 2 ? 3 : 4);
      int status = 0;
      waitpid(child, &status, 0);
      if (status != 3 << 8) words.wrong++;
      child = vfork();
      if (child == 0) {
        begins_with_endbr(1);
        execl("/bin/true", "true", nullptr);
        _exit(9);
      }
      waitpid(child, &status, 0);
      if (status != 0) words.wrong++;
    }
  });
  ASSERT_TRUE(wait_until([&] { return program.words().started == 1; }));
  Debugged debugged(program);
  ASSERT_TRUE(debugged.debuggee->set_breakpoint({.address = address_of(begins_with_endbr)}, first_argument_is(never)));
  program.words().may_begin = 1;
  auto stop = debugged.debuggee->go(until([&] { return program.words().done == 1; }));
  ASSERT_TRUE(stop);
  EXPECT_EQ(stop->kind, DebugStopKind::broken_in);
  EXPECT_EQ(debugged.hits(), 20u);
  EXPECT_EQ(program.words().wrong, 0u);
  debugged.debuggee.reset();
  EXPECT_EQ(program.end(), 7 << 8);
}

TEST(DebuggeeEvents, SignalsArriveInAStorm) {
  constexpr uint64_t calls = 3000;
  DebuggedProgram program([](SharedWords& words) {
    signal(SIGUSR1, [](int) { shared_words().signals++; });
    call_in_threads(begins_with_push, 4, calls);
    (void)words;
  });
  ASSERT_TRUE(wait_until([&] { return program.words().started == 4; }));
  Debugged debugged(program);
  ASSERT_TRUE(debugged.debuggee->set_breakpoint({.address = address_of(begins_with_push)}, first_argument_is(never)));
  std::atomic<bool> is_over = false;
  uint64_t sent = 0;
  std::thread storm([&] {
    while (!is_over) {
      // A new one only when the last was seen, so that none falls together with another.
      uint64_t before = program.words().signals;
      kill(static_cast<pid_t>(program.pid()), SIGUSR1);
      sent++;
      if (!wait_until([&] { return program.words().signals > before || is_over; })) return;
    }
  });
  program.words().may_begin = 1;
  auto stop = debugged.debuggee->go(until([&] { return program.words().done == 1; }));
  is_over = true;
  storm.join();
  ASSERT_TRUE(stop);
  EXPECT_EQ(stop->kind, DebugStopKind::broken_in);
  EXPECT_EQ(debugged.hits(), 4 * calls);
  debugged.debuggee.reset();
  EXPECT_TRUE(wait_until([&] { return program.words().signals == sent; }));
  EXPECT_EQ(program.end(), 7 << 8);
  EXPECT_EQ(program.words().wrong, 0u);
}

TEST(DebuggeeEvents, StopSignalsStopAndContinueTheProgram) {
  DebuggedProgram program([](SharedWords&) { call_in_threads(begins_with_endbr, 2, ~uint64_t{0}); });
  program.words().may_begin = 1;
  ASSERT_TRUE(wait_until([&] { return program.words().calls > 100; }));
  Debugged debugged(program);
  ASSERT_TRUE(debugged.debuggee->set_breakpoint({.address = address_of(begins_with_endbr)}, first_argument_is(never)));
  std::thread signals([&] {
    auto pid = static_cast<pid_t>(program.pid());
    kill(pid, SIGSTOP);
    EXPECT_TRUE(wait_until([&] { return letters_of_threads(program.pid()).find_first_of("SR") == std::string::npos; }));
    kill(pid, SIGCONT);
    uint64_t before = program.words().calls;
    EXPECT_TRUE(wait_until([&] { return program.words().calls > before + 100; }));
    program.words().extra[0] = 1;
  });
  auto stop = debugged.debuggee->go(until([&] { return program.words().extra[0] == 1; }));
  signals.join();
  ASSERT_TRUE(stop);
  EXPECT_EQ(stop->kind, DebugStopKind::broken_in);
  debugged.debuggee.reset();
  EXPECT_EQ(program.end(), 7 << 8);
}

TEST(DebuggeeEvents, FaultsAreShownFirstAndDelivered) {
  DebuggedProgram program([](SharedWords& words) {
    words.started = 1;
    while (words.may_begin == 0) usleep(200);
    signal(SIGSEGV, SIG_DFL);  // a sanitizer has a handler
    volatile uintptr_t nowhere = 16;
    *reinterpret_cast<volatile int*>(nowhere) = 1;
  });
  ASSERT_TRUE(wait_until([&] { return program.words().started == 1; }));
  Debugged debugged(program);
  program.words().may_begin = 1;
  auto stop = debugged.debuggee->go({});
  ASSERT_TRUE(stop);
  EXPECT_EQ(stop->kind, DebugStopKind::signal);
  EXPECT_EQ(stop->signal, SIGSEGV);
  EXPECT_EQ(stop->fault_address, 16u);
  stop = debugged.debuggee->go({});
  ASSERT_TRUE(stop);
  EXPECT_EQ(stop->kind, DebugStopKind::killed);
  EXPECT_EQ(stop->signal, SIGSEGV);
  EXPECT_TRUE(debugged.debuggee->is_over());
}

TEST(DebuggeeEvents, ExecTakesBreakpointsAwayAndNewOnesCanBeSet) {
  DebuggedProgram program([](SharedWords& words) {
    std::thread other([] { pause(); });
    words.started = 1;
    while (words.may_begin == 0) usleep(200);
    std::thread([] { execl("/bin/sleep", "sleep", "100", nullptr); }).join();
  });
  ASSERT_TRUE(wait_until([&] { return program.words().started == 1; }));
  Debugged debugged(program);
  ASSERT_TRUE(debugged.debuggee->set_breakpoint({.address = address_of(begins_with_endbr)}));
  program.words().may_begin = 1;
  auto stop = debugged.debuggee->go({});
  ASSERT_TRUE(stop);
  EXPECT_EQ(stop->kind, DebugStopKind::executed);
  EXPECT_TRUE(debugged.debuggee->breakpoints()->empty());
  auto threads = debugged.debuggee->threads();
  ASSERT_TRUE(threads);
  ASSERT_EQ(threads->size(), 1u);
  // At the new program's first instruction.
  auto id = debugged.debuggee->set_breakpoint({.address = threads->front().registers.rip});
  EXPECT_TRUE(id) << id.error().what;
  stop = debugged.debuggee->go({.duration = 20'000'000});
  ASSERT_TRUE(stop);
  EXPECT_EQ(stop->kind, DebugStopKind::broken_in)
      << stop->signal << " code " << stop->signal_code << " at " << std::hex << stop->fault_address << " rip "
      << debugged.debuggee->threads()->front().registers.rip << " was " << threads->front().registers.rip;
}

TEST(DebuggeeEvents, AnExitIsTold) {
  DebuggedProgram program([](SharedWords& words) { words.started = 1; });
  Debugged debugged(program);
  program.words().may_end = 1;
  auto stop = debugged.debuggee->go({});
  ASSERT_TRUE(stop);
  EXPECT_EQ(stop->kind, DebugStopKind::exited);
  EXPECT_EQ(stop->status, 7);
  EXPECT_FALSE(debugged.debuggee->go({}));
}

// None of these may see an EINTR that nobody meant.
TEST(DebuggeeEvents, BlockedCallsGoOn) {
  DebuggedProgram program([](SharedWords& words) {
    static int ends[2];
    if (pipe(ends) != 0) _exit(1);
    auto begin = [&](auto call) {
      return std::thread([&words, call] {
        words.started++;
        if (!call()) words.wrong++;
      });
    };
    auto wait_for_end = [] {
      char byte = 0;
      return read(ends[0], &byte, 1) == 0;
    };
    auto poll_for_end = [] {
      pollfd waited{ends[0], POLLIN, 0};
      return poll(&waited, 1, -1) == 1;
    };
    auto wait_on_futex = [&words] {
      auto* word = reinterpret_cast<uint32_t*>(&words.may_begin);
      while (words.may_begin == 0) {
        if (syscall(SYS_futex, word, 0, 0, nullptr, nullptr, 0) != 0 && errno == EINTR) return false;
      }
      return true;
    };
    std::thread threads[] = {begin(wait_for_end), begin(poll_for_end), begin(wait_on_futex)};
    while (words.may_begin == 0) usleep(200);
    syscall(SYS_futex, reinterpret_cast<uint32_t*>(&words.may_begin), 1, 100, nullptr, nullptr, 0);
    close(ends[1]);
    for (std::thread& thread : threads) thread.join();
  });
  ASSERT_TRUE(wait_until([&] {
    return program.words().started == 3 && letters_of_threads(program.pid()).find('R') == std::string::npos;
  }));
  for (int i = 0; i < 3; i++) {
    Debugged debugged(program);
    ASSERT_TRUE(debugged.debuggee->set_breakpoint({.address = address_of(begins_with_endbr)}));
    for (int round = 0; round < 3; round++) ASSERT_TRUE(debugged.debuggee->go({.duration = 2'000'000}));
  }
  EXPECT_TRUE(is_code_as_ours(program.pid()));
  program.words().may_begin = 1;
  EXPECT_TRUE(wait_until([&] { return program.words().done == 1; }));
  EXPECT_EQ(program.end(), 7 << 8);
  EXPECT_EQ(program.words().wrong, 0u);
}

TEST(DebuggeeEvents, StepsOneInstructionAtATime) {
  DebuggedProgram program([](SharedWords&) { call_in_threads(begins_with_call, 1, 100); });
  ASSERT_TRUE(wait_until([&] { return program.words().started == 1; }));
  Debugged debugged(program);
  ASSERT_TRUE(debugged.debuggee->set_breakpoint({.address = address_of(begins_with_call)}));
  program.words().may_begin = 1;
  auto stop = debugged.debuggee->go({});
  ASSERT_TRUE(stop);
  uint32_t tid = stop->tid;
  uint64_t stack = debugged.debuggee->thread(tid)->registers.rsp;
  stop = debugged.debuggee->step(tid, {});
  ASSERT_TRUE(stop);
  EXPECT_EQ(stop->kind, DebugStopKind::stepped);
  EXPECT_EQ(debugged.debuggee->thread(tid)->registers.rsp, stack - 8);
  stop = debugged.debuggee->step(tid, {});
  ASSERT_TRUE(stop);
  auto thread = debugged.debuggee->thread(tid);
  EXPECT_EQ(thread->registers.rsp, stack);
  EXPECT_EQ(thread->registers.rip, address_of(begins_with_call) + 5);
  EXPECT_EQ(debugged.hits(), 1u);
  debugged.debuggee.reset();
  EXPECT_TRUE(wait_until([&] { return program.words().done == 1; }));
  EXPECT_EQ(program.end(), 7 << 8);
  EXPECT_EQ(program.words().wrong, 0u);
  EXPECT_EQ(program.words().calls, 100u);
}

}  // namespace
}  // namespace culprit
