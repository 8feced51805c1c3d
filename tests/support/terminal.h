// A program at a terminal of its own, and what a person types and sees there.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "support/run_culprit.h"

namespace culprit::test {

class Terminal {
 public:
  Terminal(const Words& command, const Words& environment) {
    std::vector<std::string> words = command;
    pid_ = forkpty(&master_, nullptr, nullptr, nullptr);
    if (pid_ != 0) return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (const std::string& each : environment) putenv(strdup(each.c_str()));
    std::vector<char*> pointers;
    for (std::string& word : words) pointers.push_back(word.data());
    pointers.push_back(nullptr);
    execv(pointers[0], pointers.data());
    _exit(124);
  }
  ~Terminal() {
    kill(pid_, SIGKILL);
    if (!is_reaped_) waitpid(pid_, nullptr, 0);
    close(master_);
  }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  pid_t pid() const { return pid_; }
  void type(std::string_view text) {
    ASSERT_EQ(write(master_, text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  // Reads until what came since the last call holds `text`, and forgets it up to there.
  bool sees(std::string_view text) {
    for (;;) {
      if (size_t at = seen_.find(text); at != seen_.npos) return seen_.erase(0, at + text.size()), true;
      pollfd ready{master_, POLLIN, 0};
      char buffer[4096];
      constexpr int patience = 120'000;  // ms: a safety net
      ssize_t size = poll(&ready, 1, patience) == 1 ? read(master_, buffer, sizeof(buffer)) : 0;
      if (size <= 0) {
        ADD_FAILURE() << "never saw '" << text << "' in: " << seen_;
        return false;
      }
      seen_.append(buffer, static_cast<size_t>(size));
    }
  }
  int wait() {
    int status = -1;
    while (sees_more()) continue;
    waitpid(pid_, &status, 0);
    is_reaped_ = true;
    return status;
  }

 private:
  bool sees_more() {
    char buffer[4096];
    return read(master_, buffer, sizeof(buffer)) > 0;  // EIO at the end
  }
  pid_t pid_ = -1;
  int master_ = -1;
  bool is_reaped_ = false;
  std::string seen_;
};

}  // namespace culprit::test
