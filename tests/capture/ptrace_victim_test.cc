// What a program notices of being recorded by ptrace: nothing but time.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/ptrace.h>

#include <atomic>
#include <thread>

#include "base/syscall.h"
#include "format/procfs.h"
#include "ptrace_recording.h"

namespace culprit {
namespace {

// Reading the unwind tables of a sanitized program takes much longer than all the rest.
#ifndef __has_feature
#define __has_feature(feature) 0
#endif
constexpr bool is_sanitized = __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);

ProcessStatus status_of(uint32_t pid) {
  auto text = read_whole_file("/proc/" + std::to_string(pid) + "/status");
  auto status = text ? parse_status(*text) : std::nullopt;
  return status.value_or(ProcessStatus{});
}

TEST(PtraceVictim, HandsOnEverySignal) {
  static std::atomic<int> caught;
  Victim victim([] {
    struct sigaction action {};
    action.sa_handler = [](int) {
      close(dup(0));
      caught++;
    };
    sigaction(SIGUSR1, &action, nullptr);
    for (int i = 0; i < 2000; i++) {
      raise(SIGUSR1);
      close(dup(0));
    }
    return caught.load();
  });
  PtraceRecording recording(victim.pid());
  ASSERT_TRUE(recording.recorder) << recording.error.what;
  victim.begin();
  EXPECT_EQ(recording.until_done(victim), 2000);
  recording.recorder->finish();
  EXPECT_EQ(recording.count(HandleAction::duplicate), 4000u);
  EXPECT_EQ(recording.count(HandleAction::close), 4000u);
}

TEST(PtraceVictim, LetsStopAndContinueSignalsDoWhatTheyDo) {
  Victim victim([] {
    for (int i = 0; i < 20; i++) close(dup(0));
    raise(SIGSTOP);
    for (int i = 0; i < 20; i++) close(dup(0));
    return 7;
  });
  PtraceRecording recording(victim.pid());
  ASSERT_TRUE(recording.recorder) << recording.error.what;
  victim.begin();
  recording.until([&] { return recording.count(HandleAction::close) == 20; });
  for (int i = 0; i < 20; i++) {
    recording.recorder->round();
    recording.recorder->sleep(milliseconds(1));
  }
  EXPECT_EQ(recording.count(HandleAction::close), 20u);
  kill(static_cast<pid_t>(victim.pid()), SIGCONT);
  EXPECT_EQ(recording.until_done(victim), 7);
  recording.recorder->finish();
  EXPECT_EQ(recording.count(HandleAction::close), 40u);
}

TEST(PtraceVictim, LeavesNoTraceBehind) {
  Victim victim([] {
    volatile int* running = new int(1);
    std::thread([] { sleep(3600); }).detach();
    for (int i = 0; *running; i++) {
      close(dup(0));
      if (i % 1000 == 0) usleep(100);
    }
    return 0;
  });
  victim.begin();
  uint32_t pid = victim.pid();
  PtraceRecording recording(pid);
  ASSERT_TRUE(recording.recorder) << recording.error.what;
  EXPECT_NE(status_of(pid).tracer, 0u);
  recording.until([&] { return recording.count(HandleAction::close) > 100; });
  EXPECT_GT(recording.recorder->status().longest_stop, 0);
  recording.recorder->finish();
  EXPECT_EQ(status_of(pid).tracer, 0u);
  auto ticks = [&] { return read_whole_file("/proc/" + std::to_string(pid) + "/schedstat").value_or(""); };
  std::string before = ticks();
  while (ticks() == before) usleep(1000);
}

TEST(PtraceVictim, AttachesAndDetachesTwoHundredTimesToABusyProgram) {
  constexpr int threads = 4;
  static std::atomic<bool>* stop;
  stop =
      static_cast<std::atomic<bool>*>(mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  Victim victim([] {
    std::atomic<int> wrong = 0;
    std::vector<std::thread> workers;
    for (int i = 0; i < threads; i++) {
      workers.emplace_back([&] {
        while (!*stop) {
          int* memory = new int[100];
          int number = eventfd(3, 0);
          uint64_t value = 0;
          if (number < 0 || read(number, &value, sizeof value) != sizeof value || value != 3) wrong++;
          if (close(number) != 0) wrong++;
          delete[] memory;
        }
      });
    }
    for (std::thread& worker : workers) worker.join();
    return wrong.load();
  });
  victim.begin();
  for (int i = 0; i < (is_sanitized ? 20 : 200); i++) {
    PtraceRecording recording(victim.pid());
    ASSERT_TRUE(recording.recorder) << recording.error.what;
    recording.recorder->round();
    recording.recorder->finish();
    ASSERT_EQ(status_of(victim.pid()).tracer, 0u);
  }
  *stop = true;
  EXPECT_EQ(victim.wait_until_done(), 0);
}

TEST(PtraceVictim, DoesNotDisturbAThreadThatWaits) {
  Victim victim([] {
    int waiting = epoll_create1(0), event = eventfd(0, 0);
    epoll_event interest{EPOLLIN, {}}, happened{};
    epoll_ctl(waiting, EPOLL_CTL_ADD, event, &interest);
    std::thread([event] {
      usleep(300'000);
      uint64_t one = 1;
      write(event, &one, sizeof one);
    }).detach();
    return epoll_wait(waiting, &happened, 1, -1);
  });
  victim.begin();
  for (int i = 0; i < 10; i++) {
    usleep(10'000);
    PtraceRecording recording(victim.pid());
    ASSERT_TRUE(recording.recorder) << recording.error.what;
  }
  EXPECT_EQ(victim.wait_until_done(), 1);
}

TEST(PtraceVictim, KilledAtAnyMomentHarmsNobody) {
  Victim victim([] {
    int wrong = 0;
    for (int i = 0; i < 30'000; i++) {
      int number = dup(0);
      if (number < 0 || close(number) != 0) wrong++;
    }
    return wrong;
  });
  victim.begin();
  for (int i = 0; i < 20; i++) {
    pid_t recorder = fork();
    if (recorder == 0) {
      PtraceRecording recording(victim.pid());
      for (;;) {
        recording.recorder->round();
        recording.recorder->sleep(milliseconds(1));
      }
    }
    usleep(static_cast<useconds_t>(5000 + 1371 * i));
    kill(recorder, SIGKILL);
    waitpid(recorder, nullptr, 0);
  }
  EXPECT_EQ(victim.wait_until_done(), 0);
}

TEST(PtraceVictim, IsLetGoWhenAnotherOfTheTreeWantsToTraceIt) {
  Victim victim([] {
    pid_t child = fork();
    if (child == 0) {
      std::thread([] {
        for (;;) close(dup(0));
      }).detach();
      for (;;) close(dup(0));
    }
    usleep(20'000);
    int status = 0;
    bool is_ours = ptrace(PTRACE_SEIZE, child, nullptr, nullptr) == 0 &&
                   ptrace(PTRACE_INTERRUPT, child, nullptr, nullptr) == 0 && waitpid(child, &status, 0) == child &&
                   WIFSTOPPED(status) && ptrace(PTRACE_DETACH, child, nullptr, nullptr) == 0;
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    return is_ours && WIFSIGNALED(status) ? 0 : 1;
  });
  PtraceRecording recording(victim.pid());
  ASSERT_TRUE(recording.recorder) << recording.error.what;
  victim.begin();
  EXPECT_EQ(recording.until_done(victim), 0);
  recording.recorder->finish();
  EXPECT_EQ(recording.events.lost(LossKind::process_not_followed), 1u);
}

TEST(PtraceVictim, IsLetGoWhenItWantsToBeTracedByItsParent) {
  Victim victim([] {
    pid_t child = fork();
    if (child == 0) {
      bool is_traced = ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) == 0;
      raise(SIGSTOP);
      _exit(is_traced ? 0 : 1);
    }
    int status = 0;
    waitpid(child, &status, 0);
    if (!WIFSTOPPED(status)) return -2;
    ptrace(PTRACE_CONT, child, nullptr, nullptr);
    waitpid(child, &status, 0);
    return WEXITSTATUS(status);
  });
  PtraceRecording recording(victim.pid());
  ASSERT_TRUE(recording.recorder) << recording.error.what;
  victim.begin();
  EXPECT_EQ(recording.until_done(victim), 0);
  recording.recorder->finish();
  EXPECT_EQ(recording.events.lost(LossKind::process_not_followed), 1u);
}

}  // namespace
}  // namespace culprit
