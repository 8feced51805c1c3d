#include "shell/progress.h"

#include <fmt/format.h>

#include "base/syscall.h"
#include "base/text.h"
#include "view/text_style.h"

namespace culprit {

namespace {

constexpr std::chrono::milliseconds patience{400}, between{100};
constexpr std::string_view erase_line = "\r\x1b[K";

}  // namespace

Progress::Progress(int fd, std::string doing)
    : fd_(fd), wanted_(style_of(fd).terminal), doing_(std::move(doing)), next_(Clock::now() + patience) {}

void Progress::show(size_t done, size_t total) {
  if (!wanted_ || Clock::now() < next_) return;
  next_ = Clock::now() + between;
  visible_ = true;
  std::string line =
      fmt::format("{}culprit: {} {} of {}", erase_line, doing_, with_thousands(done), with_thousands(total));
  // A terminal that has gone away must not stop the job.
  if (!write_all(fd_, line)) wanted_ = false;
}

void Progress::erase() {
  if (visible_) (void)write_all(fd_, erase_line);
  visible_ = false;
}

}  // namespace culprit
