// `culprit catch` with a state folder of the test's own, and in the kernel's core_pattern.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include "support/kernel_core.h"
#include "support/run_culprit.h"

namespace culprit::test {

inline Words catch_words(const std::string& verb, const std::string& folder, const Words& more = {}) {
  Words words{culprit_path(), "catch", verb, "--state", folder};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

inline Ran handle(const std::string& folder, const std::string& core) {
  return run(catch_words("handle", folder), {.input = core});
}

inline Json list(const std::string& folder) {
  Ran ran = run(catch_words("list", folder, {"--json"}));
  EXPECT_EQ(ran.ending(), "exit 0") << ran.err;
  return Json::parse(ran.out, nullptr, false);
}

inline constexpr const char* pattern_file = "/proc/sys/kernel/core_pattern";

inline void set_pattern(const std::string& pattern) {
  int file = ::open(pattern_file, O_WRONLY | O_CLOEXEC);
  ASSERT_GE(file, 0);
  EXPECT_GT(::write(file, pattern.data(), pattern.size()), 0);
  ::close(file);
}

// The pattern is the whole machine's: one test at a time has it, and it is restored even if the test is killed.
class CatchInstalled : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::access(pattern_file, W_OK) != 0) GTEST_SKIP() << "the kernel's core_pattern cannot be written: not root";
    if (!may_leave_cores()) GTEST_SKIP() << "RLIMIT_CORE forbids cores";
    lock_ = ::open("/tmp/culprit-core-pattern.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    ASSERT_EQ(::flock(lock_, LOCK_EX), 0);
    before_ = contents(pattern_file);
    ASSERT_EQ(::pipe2(guard_, O_CLOEXEC), 0);
    guardian_ = ::fork();
    if (guardian_ == 0) {
      char byte = 0;
      ::close(guard_[1]);
      ::setsid();
      while (::read(guard_[0], &byte, 1) > 0) {
      }
      int file = ::open(pattern_file, O_WRONLY | O_CLOEXEC);
      ::_exit(::write(file, before_.data(), before_.size()) > 0 ? 0 : 1);
    }
    ::close(guard_[0]);
  }
  void TearDown() override {
    if (guardian_ <= 0) return;
    ::close(guard_[1]);
    int status = 0;
    ::waitpid(guardian_, &status, 0);
    EXPECT_EQ(contents(pattern_file), before_);
    ::close(lock_);
  }

  void install(const Words& more = {}) {
    Ran ran = run(catch_words("install", state_, more));
    ASSERT_EQ(ran.ending(), "exit 0") << ran.err;
  }
  // All that were handed over are dealt with, as many as there must be.
  Json wait_for(size_t count) const {
    for (;; ::usleep(20'000)) {
      Json now = list(state_);
      size_t done = now.at("not_looked_at").get<size_t>();
      for (const Json& crash : now.at("crashes")) done += crash.at("finished").get<bool>() ? 1 : 0;
      if (done >= count) return now;
    }
  }

  // Where others may crash, too.
  Json wait_for_crash_of(const std::string& program) const {
    for (;; ::usleep(20'000)) {
      const Json now = list(state_);
      for (const Json& crash : now.at("crashes"))
        if (crash.at("program") == program && crash.at("finished").get<bool>()) return crash;
    }
  }

  TemporaryFolder place_;
  std::string state_ = place_ / "state", before_;
  int lock_ = -1, guard_[2] = {-1, -1};
  pid_t guardian_ = -1;
};

}  // namespace culprit::test
