// Whoever is killed at whatever moment: the program that was debugged runs on unharmed.
#include <gtest/gtest.h>

#include <random>

#include "base/syscall.h"
#include "target/debugged_program.h"
#include "target/ptrace_threads.h"

namespace culprit {
namespace {

constexpr uint64_t never = 0xdead0000;
constexpr size_t thread_count = 4;

// A console that has breakpoints everywhere and lets the program run, until it is killed.
class Console {
 public:
  explicit Console(uint32_t target) {
    pid_ = fork();
    if (pid_ != 0) return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    auto debuggee = Debuggee::attach(target);
    if (!debuggee) _exit(1);
    shared_words().extra[0] = (*debuggee)->engine_pid();
    for (const CountedCase& counted : counted_cases())
      if (!(*debuggee)->set_breakpoint({.address = counted.place}, first_argument_is(never))) _exit(2);
    shared_words().extra[1] = 1;
    for (;;) {
      auto stop = (*debuggee)->go({.duration = 3'000'000});
      if (!stop) {
        shared_words().extra[2] = 1;
        for (;;) pause();
      }
      auto threads = (*debuggee)->threads();
      if (stop->kind == DebugStopKind::broken_in && threads && !threads->empty())
        (*debuggee)->step(threads->back().tid, {});
    }
  }
  ~Console() { kill_it(); }

  void kill_it() {
    if (std::exchange(is_dead_, true)) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  static void kill_engine() {
    auto engine = static_cast<pid_t>(shared_words().extra[0]);
    if (engine > 0) kill(engine, SIGKILL);
  }

 private:
  pid_t pid_ = -1;
  bool is_dead_ = false;
};

// Calls all of the functions from several threads, without end.
void call_all(SharedWords& words) {
  std::vector<std::thread> threads;
  for (size_t i = 0; i < thread_count; i++) {
    threads.emplace_back([&] {
      words.started++;
      for (uint64_t n = 0; words.may_end == 0; n++)
        for (const CountedCase& counted : counted_cases()) words.wrong += counted.function(n) == n + 1 ? 0 : 1;
    });
  }
  for (std::thread& thread : threads) thread.join();
}

bool is_traced(uint32_t pid) {
  for (uint32_t tid : threads_of(pid)) {
    auto text = read_whole_file("/proc/" + std::to_string(tid) + "/status", 65536);
    if (text && text->find("TracerPid:\t0\n") == std::string::npos) return true;
  }
  return false;
}

bool runs_freely(const DebuggedProgram& program) {
  if (is_traced(program.pid())) return false;
  return letters_of_threads(program.pid()).find_first_of("tT") == std::string::npos;
}

void expect_unharmed(DebuggedProgram& program) {
  auto comes_true = [&](const std::function<bool()>& condition) {
    return wait_until([&] { return has_ended(program.pid()) || condition(); }) && !has_ended(program.pid());
  };
  uint64_t before = 0;
  bool is_well = comes_true([&] { return runs_freely(program); }) &&
                 comes_true([&] { return is_code_as_ours(program.pid()); }) &&
                 comes_true([&] { return before = program.words().calls, true; }) &&
                 comes_true([&] { return program.words().calls > before + 1000; });
  EXPECT_TRUE(is_well) << letters_of_threads(program.pid());
  EXPECT_EQ(program.end(), 7 << 8);
  EXPECT_EQ(program.words().wrong, 0u);
}

void at_random_moments(unsigned seed, int times, const std::function<void(Console&)>& kill) {
  std::mt19937 random(seed);
  for (int i = 0; i < times; i++) {
    SCOPED_TRACE(i);
    DebuggedProgram program(call_all);
    ASSERT_TRUE(wait_until([&] { return program.words().started == thread_count; }));
    Console console(program.pid());
    // One in five dies while it attaches or sets breakpoints.
    bool is_early = i % 5 == 0;
    if (!is_early) {
      ASSERT_TRUE(wait_until([&] { return program.words().extra[1] == 1; }));
    }
    usleep(random() % 15000);
    kill(console);
    expect_unharmed(program);
    if (testing::Test::HasFailure()) return;
  }
}

TEST(KilledDebugger, ConsoleAtRandomMoments) {
  at_random_moments(1, 40, [](Console& console) { console.kill_it(); });
}

TEST(KilledDebugger, EngineAtRandomMoments) {
  at_random_moments(2, 40, [](Console& console) {
    Console::kill_engine();
    // One whose engine was not known yet is itself killed in the end.
    if (shared_words().extra[0] == 0) console.kill_it();
  });
}

TEST(KilledDebugger, BothAtOnceAtRandomMoments) {
  at_random_moments(3, 40, [](Console& console) {
    Console::kill_engine();
    console.kill_it();
  });
  at_random_moments(4, 10, [](Console& console) {
    console.kill_it();
    Console::kill_engine();
  });
}

}  // namespace
}  // namespace culprit
