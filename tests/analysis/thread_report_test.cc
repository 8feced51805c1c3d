#include "analysis/thread_report.h"

#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/syscall.h>

#include <algorithm>
#include <functional>
#include <thread>

#include "analysis/thread_waits.h"
#include "capture/victim.h"
#include "model/clock.h"

namespace culprit {
namespace {

TargetThread blocked_in(uint64_t call, uint64_t first = 0, uint64_t second = 0) {
  TargetThread thread;
  thread.state = 'S';
  thread.blocked_in = BlockingCall{call, {first, second}};
  return thread;
}

ReportStack stack_of(std::initializer_list<const char*> functions) {
  ReportStack stack;
  for (const char* function : functions) {
    ReportFrame& frame = stack.frames.emplace_back();
    frame.function = function;
    frame.own = !std::string_view(function).starts_with("_");
  }
  return stack;
}

TEST(ThreadWaits, NameTheHandleOfACall) {
  HandleNames names = [](uint64_t value) { return value == 5 ? "pipe" : ""; };
  EXPECT_EQ(wait_in_words(blocked_in(SYS_read, 5), {}, names), "reads from fd 5 (pipe)");
  EXPECT_EQ(wait_in_words(blocked_in(SYS_accept4, 6), {}, names), "accepts connections on fd 6");
  EXPECT_EQ(wait_in_words(blocked_in(SYS_fcntl, 5, 7), {}, names), "waits for a lock on fd 5 (pipe)");
  EXPECT_EQ(wait_in_words(blocked_in(9999), {}, {}), "is in system call 9999");
}

TEST(ThreadWaits, AreBetterKnownByTheLibraryThanByTheKernel) {
  ReportStack mutex = stack_of({"__futex_wait", "___pthread_mutex_lock", "work"});
  EXPECT_EQ(wait_in_words(blocked_in(SYS_futex), mutex, {}), "waits for a mutex");
  // What one's own code is called says nothing about the library.
  EXPECT_EQ(wait_in_words(blocked_in(SYS_futex), stack_of({"__futex_wait", "work", "sem_wait"}), {}),
            "waits for a futex");
  ReportStack lookup = stack_of({"__GI___poll", "__res_send", "__GI_getaddrinfo", "work"});
  EXPECT_EQ(wait_in_words(blocked_in(SYS_poll), lookup, {}), "looks up a host name");
}

TEST(ThreadWaits, AreToldByTheStateOfThoseThatAreInNoCall) {
  TargetThread thread;
  thread.state = 'R';
  EXPECT_EQ(wait_in_words(thread, {}, {}), "runs");
  thread = blocked_in(SYS_pause);
  thread.state = 'T';
  EXPECT_EQ(wait_in_words(thread, {}, {}), "is stopped by a signal, waits for a signal");
}

[[gnu::noinline]] void stand_in_read(int number) {
  char byte = 0;
  if (read(number, &byte, 1) < 0) abort();
}

volatile uint64_t spun = 0;
[[gnu::noinline]] void spin() {
  for (;;) {
    spun = spun + 1;
    spun = spun * 3;
    spun = spun ^ 5;
  }
}

SymbolLookup names_of_functions() {
  return [](std::span<const SymbolRequest> requests) {
    std::vector<SymbolizedFrame> answers(requests.size());
    for (SymbolizedFrame& answer : answers) answer.frames = {{.function = "f()"}};
    return answers;
  };
}

ThreadReport report_when(Target& target, const ThreadQuestion& question,
                         const std::function<bool(const ThreadReport&)>& is_there) {
  Time deadline = monotonic_now() + 60'000'000'000;
  for (;;) {
    auto report = report_threads(target, names_of_functions(), question);
    if (!report) return {};
    if (is_there(*report) || monotonic_now() > deadline) return std::move(*report);
    usleep(1000);
  }
}

TEST(ThreadReport, FoldsHundredsOfThreadsThatDoTheSame) {
  constexpr size_t many = 250;
  Victim victim([] {
    int ends[2];
    if (pipe(ends) != 0) return 1;
    for (size_t i = 0; i < many; ++i) std::thread(stand_in_read, ends[0]).detach();
    return 0;
  });
  victim.begin();
  ASSERT_EQ(victim.wait_until_done(), 0);
  auto target = open_live_process(victim.pid());
  ASSERT_TRUE(target);
  ThreadReport report = report_when(**target, {}, [](const ThreadReport& seen) {
    return !seen.groups.empty() && seen.groups[0].threads.size() == many;
  });
  EXPECT_EQ(report.all_threads, many + 1);
  ASSERT_EQ(report.groups.size(), 2u);
  EXPECT_EQ(report.groups[0].threads.size(), many);
  EXPECT_NE(report.groups[0].wait.find("(pipe)"), std::string::npos);
  EXPECT_TRUE(report.unknown.empty());
  EXPECT_TRUE(report.exact);
}

TEST(ThreadReport, FoldsThreadsThatRunInTheSameFunction) {
  Victim victim([] {
    for (int i = 0; i < 3; ++i) {
      std::thread([] {
        pthread_setname_np(pthread_self(), "spinner");
        spin();
      }).detach();
    }
    return 0;
  });
  victim.begin();
  ASSERT_EQ(victim.wait_until_done(), 0);
  auto target = open_live_process(victim.pid());
  ASSERT_TRUE(target);
  ThreadReport report = report_when(**target, {.thread = "spin*"}, [](const ThreadReport& seen) {
    return seen.groups.size() == 1 && seen.groups[0].threads.size() == 3;
  });
  ASSERT_EQ(report.groups.size(), 1u);
  EXPECT_EQ(report.groups[0].threads.size(), 3u);
  EXPECT_EQ(report.groups[0].wait, "runs");
  EXPECT_EQ(report.threads.size(), 3u);
  EXPECT_EQ(report.all_threads, 4u);
  EXPECT_EQ(report.stopped, 3u);
  EXPECT_GT(report.longest_stop, 0);
}

}  // namespace
}  // namespace culprit
