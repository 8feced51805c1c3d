// What the kernel says about one handle in /proc/PID/fdinfo/N (Documentation/filesystems/proc.rst §3.8), and about file
// locks, there and in /proc/locks (fs/locks.c). Text in, values out: no I/O. A line that makes no sense is skipped.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace culprit {

struct EpollWatch {
  int64_t value = 0;  // the fd it was registered under
  uint32_t events = 0;
  uint64_t data = 0;    // what the program gets with an event
  uint64_t inode = 0;   // of what it watches; since Linux 4.14
  uint64_t device = 0;  // as the kernel counts: major << 20 | minor
};

struct InotifyWatch {
  int64_t number = 0;
  uint64_t inode = 0;
  uint64_t device = 0;  // as above
  uint32_t mask = 0;    // IN_…
};

// Of a timerfd.
struct TimerSetting {
  int64_t clock = 0;         // CLOCK_…
  uint64_t expirations = 0;  // that nobody has read yet
  uint32_t flags = 0;        // of timerfd_settime
  uint64_t remaining = 0;    // nanoseconds; 0: not armed
  uint64_t interval = 0;     // nanoseconds; 0: it fires once
};

struct FileLock {
  static constexpr uint64_t end_of_file = UINT64_MAX;

  uint64_t id = 0;     // in /proc/locks: who waits has the id of the lock that is in the way
  std::string kind;    // "POSIX", "OFDLCK", "FLOCK", "LEASE", "DELEG", "ACCESS"
  std::string access;  // "READ", "WRITE", "UNLCK"
  bool is_waiting = false;
  int64_t pid = 0;  // -1: it belongs to the open file, not to a process (OFDLCK); 0: not of this pid namespace
  uint32_t device_major = 0, device_minor = 0;
  uint64_t inode = 0;
  uint64_t start = 0, end = end_of_file;  // both included

  bool operator==(const FileLock&) const = default;
};
std::vector<FileLock> parse_locks(std::string_view text);  // of /proc/locks

// A line that has no field of its own here: "map_type: 2" of a bpf map, "UserFiles: 3" of an io_uring …
struct FdInfoLine {
  std::string key, value;
};

struct FdInfo {
  uint64_t position = 0;
  uint32_t flags = 0;  // of open(2), with O_CLOEXEC
  uint64_t inode = 0;  // since Linux 5.14
  int64_t mount_id = 0;
  std::optional<uint64_t> eventfd_count;
  bool eventfd_is_semaphore = false;
  std::optional<int64_t> pidfd_pid;  // -1: the process has ended; 0: not visible in this pid namespace
  std::optional<TimerSetting> timer;
  std::optional<uint64_t> signalfd_mask;   // bit 0: signal 1
  std::optional<uint32_t> terminal_index;  // of a master: 5 for /dev/pts/5
  std::vector<EpollWatch> epoll_watches;
  std::vector<InotifyWatch> inotify_watches;
  std::vector<FileLock> locks;    // held through this handle, or by the process on its file
  std::vector<FdInfoLine> lines;  // a bounded number of them

  bool is_close_on_exec() const;
};
FdInfo parse_fdinfo(std::string_view text);

}  // namespace culprit
