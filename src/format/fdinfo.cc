#include "format/fdinfo.h"

#include <fcntl.h>

#include <algorithm>

#include "format/fields.h"

namespace culprit {

namespace {

constexpr size_t lines_kept = 64, longest_line = 256;

// "tfd:        5 events:       19 data: 5  pos:0 ino:42 sdev:9"
EpollWatch epoll_watch(std::string_view value) {
  EpollWatch watch;
  read_number(take_word(value), watch.value);
  for (auto word = take_word(value); !word.empty(); word = take_word(value)) {
    if (word == "events:") read_number(take_word(value), watch.events, 16);
    if (word == "data:") read_number(take_word(value), watch.data, 16);
    if (word.starts_with("ino:")) read_number(word.substr(4), watch.inode, 16);
    if (word.starts_with("sdev:")) read_number(word.substr(5), watch.device, 16);
  }
  return watch;
}

// "inotify wd:1 ino:1f sdev:9 mask:2 ignored_mask:0 fhandle-bytes:8 …", without its first word
InotifyWatch inotify_watch(std::string_view words) {
  InotifyWatch watch;
  for (auto word = take_word(words); !word.empty(); word = take_word(words)) {
    std::string_view value = word;
    std::string_view key = take_until(value, ':');
    if (key == "wd") read_number(value, watch.number, 16);
    if (key == "ino") read_number(value, watch.inode, 16);
    if (key == "sdev") read_number(value, watch.device, 16);
    if (key == "mask") read_number(value, watch.mask, 16);
  }
  return watch;
}

// "(1, 500000000)": seconds and nanoseconds
uint64_t nanoseconds(std::string_view value) {
  constexpr uint64_t second = 1'000'000'000;
  if (!value.starts_with('(')) return 0;
  std::string_view rest = value.substr(1);
  uint64_t seconds = 0, fraction = 0;
  read_number(take_until(rest, ','), seconds);
  read_number(without_leading_space(rest), fraction);
  return std::min(seconds, UINT64_MAX / second - 1) * second + fraction % second;
}

// "1: POSIX  ADVISORY  WRITE 22311 fe:00:10953220 5 14"; between number and kind "->" for one that waits
std::optional<FileLock> file_lock(std::string_view line) {
  FileLock lock;
  std::string_view id = take_word(line);
  if (!id.ends_with(':')) return {};
  read_number(id, lock.id);
  std::string_view word = take_word(line);
  for (; word == "->"; word = take_word(line)) lock.is_waiting = true;
  lock.kind = word.substr(0, 16);
  take_word(line);  // ADVISORY, ACTIVE, BREAKING …
  lock.access = take_word(line).substr(0, 16);
  read_number(take_word(line), lock.pid);
  std::string_view file = take_word(line), start = take_word(line), end = take_word(line);
  read_number(take_until(file, ':'), lock.device_major, 16);
  read_number(take_until(file, ':'), lock.device_minor, 16);
  auto inode = leading_number<uint64_t>(file);
  if (!inode || end.empty()) return {};
  lock.inode = *inode;
  read_number(start, lock.start);
  if (end != "EOF") read_number(end, lock.end);
  return lock;
}

bool read_timer_line(std::string_view key, std::string_view value, std::optional<TimerSetting>& timer) {
  if (key == "clockid") {
    timer.emplace();
    read_number(value, timer->clock);
    return true;
  }
  if (!timer) return false;
  if (key == "ticks") return read_number(value, timer->expirations), true;
  if (key == "settime flags") return read_number(value, timer->flags, 8), true;
  if (key == "it_value") return timer->remaining = nanoseconds(value), true;
  if (key == "it_interval") return timer->interval = nanoseconds(value), true;
  return false;
}

// What every handle has.
bool read_common_line(std::string_view key, std::string_view value, FdInfo& info) {
  if (key == "pos") return read_number(value, info.position), true;
  if (key == "flags") return read_number(value, info.flags, 8), true;
  if (key == "ino") return read_number(value, info.inode), true;
  if (key == "mnt_id") return read_number(value, info.mount_id), true;
  return false;
}

bool read_typed_line(std::string_view key, std::string_view value, std::string_view line, FdInfo& info) {
  constexpr std::string_view inotify = "inotify ";
  if (key == "eventfd-count") return info.eventfd_count = leading_number<uint64_t>(value, 16), true;
  if (key == "eventfd-semaphore") return info.eventfd_is_semaphore = value == "1", true;
  if (key == "Pid") return info.pidfd_pid = leading_number<int64_t>(value), true;
  if (key == "sigmask") return info.signalfd_mask = leading_number<uint64_t>(value, 16), true;
  if (key == "tty-index") return info.terminal_index = leading_number<uint32_t>(value), true;
  if (key == "tfd") return info.epoll_watches.push_back(epoll_watch(value)), true;
  if (line.starts_with(inotify))
    return info.inotify_watches.push_back(inotify_watch(line.substr(inotify.size()))), true;
  if (key == "lock") {
    if (auto lock = file_lock(value)) info.locks.push_back(std::move(*lock));
    return true;
  }
  return read_timer_line(key, value, info.timer);
}

}  // namespace

bool FdInfo::is_close_on_exec() const { return (flags & O_CLOEXEC) != 0; }

FdInfo parse_fdinfo(std::string_view text) {
  FdInfo info;
  while (!text.empty()) {
    std::string_view line = take_line(text), value = line;
    std::string_view key = take_until(value, ':');
    value = without_leading_space(value);
    if (key.empty() || read_common_line(key, value, info) || read_typed_line(key, value, line, info)) continue;
    if (info.lines.size() < lines_kept)
      info.lines.push_back({std::string(key.substr(0, longest_line)), std::string(value.substr(0, longest_line))});
  }
  return info;
}

std::vector<FileLock> parse_locks(std::string_view text) {
  std::vector<FileLock> locks;
  while (!text.empty())
    if (auto lock = file_lock(take_line(text))) locks.push_back(std::move(*lock));
  return locks;
}

}  // namespace culprit
