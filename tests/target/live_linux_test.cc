#include <gtest/gtest.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <functional>
#include <mutex>
#include <semaphore>
#include <thread>
#include <vector>

#include "capture/victim.h"
#include "model/clock.h"
#include "target/ptrace_threads.h"
#include "target/target.h"

namespace culprit {
namespace {

// Threads of the victim have to arrive somewhere; the machine may be busy.
bool comes_true(const std::function<bool()>& condition) {
  Time deadline = monotonic_now() + 60'000'000'000;
  while (monotonic_now() < deadline) {
    if (condition()) return true;
    usleep(1000);
  }
  return false;
}

void start_thread(const char* name, std::function<void()> body) {
  std::thread([name, body = std::move(body)] {
    pthread_setname_np(pthread_self(), name);
    body();
  }).detach();
}

volatile uint64_t spun = 0;
[[gnu::noinline]] void spin() {
  for (;;) spun = spun + 1;
}

void block_in_read() {
  int ends[2];
  char byte = 0;
  if (pipe(ends) == 0 && read(ends[0], &byte, 1) < 0) abort();
}

// The target as soon as it has threads of these names, each where it says.
std::unique_ptr<Target> open_with(uint32_t pid, const std::vector<std::pair<std::string, int64_t>>& wanted) {
  auto target = open_live_process(pid);
  if (!target) return nullptr;
  bool is_there = comes_true([&] {
    auto threads = (*target)->threads(ThreadWish::names_and_waits);
    return threads && std::ranges::all_of(wanted, [&](const auto& want) {
             return std::ranges::any_of(*threads, [&](const TargetThread& thread) {
               int64_t call = thread.blocked_in ? static_cast<int64_t>(thread.blocked_in->number) : -1;
               return thread.name == want.first && call == want.second;
             });
           });
  });
  return is_there ? std::move(*target) : nullptr;
}

const TargetThread& named(const std::vector<TargetThread>& threads, std::string_view name) {
  static const TargetThread none;
  auto found = std::ranges::find(threads, name, &TargetThread::name);
  return found == threads.end() ? none : *found;
}

struct TwoThreads {
  TwoThreads()
      : victim([] {
          start_thread("reader", block_in_read);
          start_thread("spinner", spin);
          return 0;
        }) {
    victim.begin();
    target = open_with(victim.pid(), {{"reader", SYS_read}, {"spinner", -1}});
  }
  Victim victim;
  std::unique_ptr<Target> target;
};

TEST(LiveProcess, TellsNamesStatesAndCallsWithoutStoppingAnybody) {
  TwoThreads two;
  ASSERT_NE(two.target, nullptr);
  auto threads = two.target->threads(ThreadWish::names_and_waits);
  ASSERT_TRUE(threads);
  ASSERT_EQ(threads->size(), 3u);
  EXPECT_TRUE(std::ranges::is_sorted(*threads, {}, &TargetThread::tid));
  const TargetThread& reader = named(*threads, "reader");
  EXPECT_EQ(reader.state, 'S');
  ASSERT_TRUE(reader.blocked_in);
  EXPECT_EQ(reader.blocked_in->number, uint64_t{SYS_read});
  EXPECT_EQ(reader.blocked_in->arguments[2], 1u);
  EXPECT_EQ(named(*threads, "spinner").known, RegistersKnown::none);
  EXPECT_EQ(two.target->longest_stop(), 0);
}

TEST(LiveProcess, TakesBlockedStacksWithoutAStopAndRunningOnesByOne) {
  TwoThreads two;
  ASSERT_NE(two.target, nullptr);
  auto threads = two.target->threads(ThreadWish::stacks);
  ASSERT_TRUE(threads);
  const TargetThread& reader = named(*threads, "reader");
  EXPECT_EQ(reader.known, RegistersKnown::stack_only);
  EXPECT_EQ(reader.stopped_for, 0);
  EXPECT_TRUE(two.target->stack_memory(reader).word(reader.registers.rsp));
  const TargetThread& spinner = named(*threads, "spinner");
  EXPECT_EQ(spinner.known, RegistersKnown::all);
  EXPECT_FALSE(spinner.blocked_in);
  EXPECT_GT(spinner.stopped_for, 0);
  EXPECT_EQ(two.target->longest_stop(), spinner.stopped_for);
  EXPECT_TRUE(two.target->stack_memory(spinner).word(spinner.registers.rsp));
  auto start = reinterpret_cast<uint64_t>(&spin);
  EXPECT_TRUE(spinner.registers.rip >= start && spinner.registers.rip < start + 256);
  EXPECT_EQ(thread_state_letter(two.victim.pid(), spinner.tid), 'R');
}

TEST(LiveProcess, CompletesTheRegistersOfABlockedThread) {
  TwoThreads two;
  ASSERT_NE(two.target, nullptr);
  auto threads = two.target->threads(ThreadWish::stacks);
  ASSERT_TRUE(threads);
  auto reader = std::ranges::find(*threads, "reader", &TargetThread::name);
  Registers before = reader->registers;
  TargetThread* wanted[] = {&*reader};
  two.target->complete(wanted);
  EXPECT_EQ(reader->known, RegistersKnown::all);
  EXPECT_EQ(reader->registers.rip, before.rip);
  EXPECT_EQ(reader->registers.rsp, before.rsp);
  ASSERT_TRUE(reader->blocked_in);
  EXPECT_EQ(reader->blocked_in->number, uint64_t{SYS_read});
  EXPECT_GT(reader->stopped_for, 0);
  EXPECT_TRUE(comes_true([&] { return thread_state_letter(two.victim.pid(), reader->tid) == 'S'; }));
}

TEST(LiveProcess, TakesAllRegistersAtOneMoment) {
  TwoThreads two;
  ASSERT_NE(two.target, nullptr);
  auto threads = two.target->threads(ThreadWish::registers);
  ASSERT_TRUE(threads);
  ASSERT_EQ(threads->size(), 3u);
  for (const TargetThread& thread : *threads) {
    EXPECT_EQ(thread.known, RegistersKnown::all) << thread.name;
    EXPECT_NE(thread.registers.fs_base, 0u) << thread.name;
  }
  EXPECT_EQ(named(*threads, "reader").blocked_in->number, uint64_t{SYS_read});
}

TEST(LiveProcess, NamesTheFilesBehindItsCodeAndTheirVariables) {
  static uint64_t variable[5000];
  TwoThreads two;
  ASSERT_NE(two.target, nullptr);
  const TargetModule* own = two.target->module_at(reinterpret_cast<uint64_t>(&spin));
  ASSERT_NE(own, nullptr);
  EXPECT_EQ(own->module.path, two.target->info().executable);
  EXPECT_EQ(own->opened_path, own->module.path);
  EXPECT_EQ(own->missing, "");
  EXPECT_EQ(two.target->module_at(reinterpret_cast<uint64_t>(&variable[4000])), own);
  auto is_vdso = [](const TargetModule& module) { return module.module.path == "[vdso]" && !module.segments.empty(); };
  EXPECT_EQ(std::ranges::count_if(two.target->modules(), is_vdso), 1);
}

TEST(LiveProcess, LetsSystemCallsGoOnAsIfNobodyHadLooked) {
  static std::atomic<int> failures = 0;
  static std::atomic<int> arrived = 0;
  auto watch_for_failure = [](const std::function<long()>& call) {
    arrived++;
    for (;;)
      if (call() < 0 && errno != ETIMEDOUT) failures++;
  };
  Victim victim([&] {
    sigset_t user;
    sigemptyset(&user);
    sigaddset(&user, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &user, nullptr);
    start_thread("epoll", [&] {
      epoll_event event;
      watch_for_failure([epoll = epoll_create1(0), &event] { return epoll_wait(epoll, &event, 1, -1); });
    });
    start_thread("poll", [&] { watch_for_failure([] { return poll(nullptr, 0, 3'600'000); }); });
    start_thread("sleeper", [&] {
      watch_for_failure([] {
        timespec hour{3600, 0};
        return nanosleep(&hour, nullptr);
      });
    });
    start_thread("reader", [&] { block_in_read(); });
    start_thread("semaphore", [&] {
      watch_for_failure([] {
        static std::counting_semaphore<> none(0);
        none.acquire();
        return 0;
      });
    });
    // Ends when it is told to, with what it has seen.
    int done = eventfd(0, 0);
    start_thread("teller", [done, user] {
      int signal = 0;
      sigwait(&user, &signal);
      eventfd_write(done, 1);
    });
    eventfd_t value = 0;
    eventfd_read(done, &value);
    return failures.load();
  });
  victim.begin();
  auto target = open_with(victim.pid(), {{"epoll", SYS_epoll_wait},
                                         {"poll", SYS_poll},
                                         {"sleeper", SYS_clock_nanosleep},
                                         {"reader", SYS_read},
                                         {"semaphore", SYS_futex},
                                         {"teller", SYS_rt_sigtimedwait}});
  ASSERT_NE(target, nullptr);
  for (int i = 0; i < 30; ++i) {
    auto threads = target->threads(i % 2 == 0 ? ThreadWish::stacks : ThreadWish::registers);
    ASSERT_TRUE(threads) << threads.error().what;
    std::vector<TargetThread*> all;
    for (TargetThread& thread : *threads) all.push_back(&thread);
    target->complete(all);
  }
  kill(static_cast<pid_t>(victim.pid()), SIGUSR1);
  EXPECT_EQ(victim.wait_until_done(), 0);
}

TEST(LiveProcess, StandsThreadsThatComeAndGoAtFullSpeed) {
  Victim victim([] {
    for (int i = 0; i < 4; ++i) {
      start_thread("maker", [] {
        for (;;) std::thread([] { pthread_setname_np(pthread_self(), "short"); }).join();
      });
    }
    return 0;
  });
  victim.begin();
  ASSERT_EQ(victim.wait_until_done(), 0);
  auto target = open_live_process(victim.pid());
  ASSERT_TRUE(target);
  for (int i = 0; i < 60; ++i) {
    auto threads = (*target)->threads(i % 3 == 2 ? ThreadWish::registers : ThreadWish::stacks);
    ASSERT_TRUE(threads) << threads.error().what;
    EXPECT_GE(threads->size(), 5u);
    EXPECT_TRUE(std::ranges::adjacent_find(*threads, {}, &TargetThread::tid) == threads->end());
    for (const TargetThread& thread : *threads)
      EXPECT_TRUE(thread.known != RegistersKnown::none || !thread.unknown_because.empty());
  }
}

TEST(LiveProcess, LooksAtOneWhoseFirstThreadHasEnded) {
  Victim victim([] {
    start_thread("reader", block_in_read);
    syscall(SYS_exit, 0);  // this thread alone
    return 0;
  });
  victim.begin();
  ASSERT_TRUE(comes_true([&] { return is_ending(victim.pid(), victim.pid()); }));
  auto target = open_with(victim.pid(), {{"reader", SYS_read}});
  ASSERT_NE(target, nullptr);
  auto threads = target->threads(ThreadWish::stacks);
  ASSERT_TRUE(threads);
  ASSERT_EQ(threads->size(), 1u);
  EXPECT_EQ(threads->front().name, "reader");
  EXPECT_NE(target->module_at(reinterpret_cast<uint64_t>(&spin)), nullptr);
}

TEST(LiveProcess, LeavesAStoppedProcessStopped) {
  TwoThreads two;
  ASSERT_NE(two.target, nullptr);
  auto pid = static_cast<pid_t>(two.victim.pid());
  auto all_are = [&](char state) {
    return std::ranges::all_of(threads_of(two.victim.pid()),
                               [&](uint32_t tid) { return thread_state_letter(two.victim.pid(), tid) == state; });
  };
  kill(pid, SIGSTOP);
  ASSERT_TRUE(comes_true([&] { return all_are('T'); }));
  auto threads = two.target->threads(ThreadWish::registers);
  ASSERT_TRUE(threads);
  for (const TargetThread& thread : *threads) EXPECT_EQ(thread.known, RegistersKnown::all) << thread.name;
  EXPECT_TRUE(comes_true([&] { return all_are('T'); }));
  kill(pid, SIGCONT);
  EXPECT_TRUE(comes_true([&] {
    return thread_state_letter(two.victim.pid(), named(*threads, "spinner").tid) == 'R' &&
           thread_state_letter(two.victim.pid(), named(*threads, "reader").tid) == 'S';
  }));
}

TEST(LiveProcess, SaysThatItHasEnded) {
  auto target = [] {
    TwoThreads two;
    return std::move(two.target);
  }();
  ASSERT_NE(target, nullptr);
  auto threads = target->threads(ThreadWish::stacks);
  ASSERT_FALSE(threads);
  EXPECT_EQ(threads.error().kind, ErrorKind::gone);
  EXPECT_EQ(threads.error().what, "process " + std::to_string(target->info().pid) + " has ended");
}

// Asked again without looking at it anew, as for tens of thousands of mappings.
TEST(LiveProcess, HasThePagesThatWereTouchedByNow) {
  constexpr size_t page = 4096;
  auto* start = static_cast<char*>(mmap(nullptr, 8 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  ASSERT_NE(start, MAP_FAILED);
  start[2 * page] = start[3 * page] = 1;
  Victim victim([&] { return start[6 * page] = 1; });
  auto target = open_live_process(victim.pid());
  ASSERT_TRUE(target) << target.error().what;
  const auto from = reinterpret_cast<uint64_t>(start);
  const AddressRange all{from, from + 8 * page}, before{from + 2 * page, from + 4 * page},
      later{from + 6 * page, from + 7 * page};
  PresentPages pages = (*target)->present_pages(all);
  ASSERT_EQ(pages.ranges.size(), 1u);
  EXPECT_EQ(pages.ranges[0].start, before.start);
  EXPECT_EQ(pages.ranges[0].end, before.end);
  EXPECT_EQ(pages.resident, 2 * page);
  victim.begin();
  victim.wait_until_done();
  pages = (*target)->present_pages(all);
  ASSERT_EQ(pages.ranges.size(), 2u);
  EXPECT_EQ(pages.ranges[1].start, later.start);
  EXPECT_EQ(pages.ranges[1].end, later.end);
  munmap(start, 8 * page);
}

TEST(LiveProcess, TellsAnEndedOneFromNone) {
  pid_t zombie = fork();
  if (zombie == 0) _exit(0);
  siginfo_t info;
  ASSERT_EQ(waitid(P_PID, static_cast<id_t>(zombie), &info, WEXITED | WNOWAIT), 0);
  auto ended = open_live_process(static_cast<uint32_t>(zombie));
  waitpid(zombie, nullptr, 0);
  auto none = open_live_process(static_cast<uint32_t>(zombie));
  ASSERT_FALSE(ended);
  EXPECT_NE(ended.error().what.find("has ended; only its parent"), std::string::npos) << ended.error().what;
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().what, "there is no process " + std::to_string(zombie));
}

TEST(LiveProcess, SaysWhatItTakesToLookAtSomebodyElses) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root, to become another user";
  Victim victim([] { return 0; });
  victim.begin();
  victim.wait_until_done();
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  pid_t other = fork();
  if (other == 0) {
    if (setgid(65534) != 0 || setuid(65534) != 0) _exit(1);
    auto target = open_live_process(victim.pid());
    std::string said = target ? "opened" : target.error().what;
    _exit(write(ends[1], said.data(), said.size()) < 0 ? 1 : 0);
  }
  close(ends[1]);
  char text[512];
  ssize_t size = read(ends[0], text, sizeof text);
  close(ends[0]);
  waitpid(other, nullptr, 0);
  EXPECT_EQ(
      std::string_view(text, size < 0 ? 0 : static_cast<size_t>(size)),
      "process " + std::to_string(victim.pid()) + " belongs to user 0: it takes that user's rights, or CAP_SYS_PTRACE");
}

TEST(LiveProcess, SeesBlockedThreadsOfOneThatIsBeingTraced) {
  TwoThreads two;
  ASSERT_NE(two.target, nullptr);
  auto threads = two.target->threads(ThreadWish::names_and_waits);
  ASSERT_TRUE(threads);
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  pid_t tracer = fork();
  if (tracer == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (const TargetThread& thread : *threads) ptrace(PTRACE_SEIZE, thread.tid, nullptr, 0);
    if (write(ends[1], "s", 1) != 1) _exit(1);
    for (;;) pause();
  }
  char byte = 0;
  ASSERT_EQ(read(ends[0], &byte, 1), 1);
  threads = two.target->threads(ThreadWish::stacks);
  kill(tracer, SIGKILL);
  waitpid(tracer, nullptr, 0);
  for (int number : ends) close(number);
  ASSERT_TRUE(threads);
  EXPECT_EQ(named(*threads, "reader").known, RegistersKnown::stack_only);
  const TargetThread& spinner = named(*threads, "spinner");
  EXPECT_EQ(spinner.known, RegistersKnown::none);
  EXPECT_NE(spinner.unknown_because.find("is being traced already, by process"), std::string::npos);
}

}  // namespace
}  // namespace culprit
