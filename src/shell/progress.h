// One line that tells how far a long job is; on a terminal only, and gone when the job is done.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>

namespace culprit {

class Progress {
 public:
  Progress(int fd, std::string doing);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress() { erase(); }

  // Shows nothing in the first moments, as most jobs are over by then, and not more often than an eye can follow.
  void show(size_t done, size_t total);
  void erase();

 private:
  using Clock = std::chrono::steady_clock;
  int fd_;
  bool wanted_;
  bool visible_ = false;
  std::string doing_;
  Clock::time_point next_;
};

}  // namespace culprit
