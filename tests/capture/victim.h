// A process forked from the test, which does something when told to, and is gone when the test is.
#pragma once

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <functional>
#include <utility>

namespace culprit {

class Victim {
 public:
  // `body` runs in the child after begin(), and gives what wait_until_done() gives.
  explicit Victim(const std::function<int()>& body) {
    if (pipe(begin_) != 0 || pipe(done_) != 0) abort();
    pid_ = fork();
    if (pid_ != 0) {
      close(std::exchange(done_[1], -1));  // so that its end is seen
      return;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    char byte = 0;
    if (read(begin_[0], &byte, 1) != 1) _exit(9);
    int result = body();
    if (write(done_[1], &result, sizeof result) != sizeof result) _exit(9);
    if (read(begin_[0], &byte, 1) < 0) _exit(9);
    _exit(0);
  }
  ~Victim() {
    kill(pid_, SIGKILL);
    wait();
    for (int number : {begin_[0], begin_[1], done_[0], done_[1]}) close(number);
  }
  Victim(const Victim&) = delete;
  Victim& operator=(const Victim&) = delete;

  uint32_t pid() const { return static_cast<uint32_t>(pid_); }
  void begin() { tell('b'); }
  int wait_until_done() {
    int result = -1;
    return read(done_[0], &result, sizeof result) == sizeof result ? result : -1;
  }
  void end() { tell('e'); }
  // Its status, once.
  int wait() {
    int status = 0;
    if (!is_reaped_ && waitpid(pid_, &status, 0) == pid_) is_reaped_ = true;
    return status;
  }

 private:
  void tell(char byte) {
    if (write(begin_[1], &byte, 1) != 1) abort();
  }

  pid_t pid_ = -1;
  int begin_[2], done_[2];
  bool is_reaped_ = false;
};

}  // namespace culprit
