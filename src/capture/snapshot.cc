#include "capture/snapshot.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <linux/magic.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <optional>

#include "base/syscall.h"
#include "capture/tsc_clock.h"
#include "format/procfs.h"

namespace culprit {
namespace {

struct linux_dirent64 {
  uint64_t d_ino;
  int64_t d_off;
  uint16_t d_reclen;
  uint8_t d_type;
  char d_name[];
};

// Not readdir: a table of 20,000 handles should cost few calls and no allocation per entry.
std::vector<int> numbers_in(int directory) {
  std::vector<int> numbers;
  alignas(linux_dirent64) std::array<char, 65536> buffer;
  for (;;) {
    long size = syscall(SYS_getdents64, directory, buffer.data(), buffer.size());
    if (size <= 0) break;
    for (long at = 0; at < size;) {
      auto* entry = reinterpret_cast<linux_dirent64*>(buffer.data() + at);
      if (entry->d_name[0] != '.') numbers.push_back(atoi(entry->d_name));
      at += entry->d_reclen;
    }
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

// Socket names of the process's network namespace, read when the first socket is met.
class Sockets {
 public:
  explicit Sockets(uint32_t pid) : pid_(pid) {}

  const std::string* name_of(uint64_t inode) {
    if (!names_) {
      names_.emplace();
      for (std::string_view table : socket_tables) {
        auto text = read_whole_file(fmt::format("/proc/{}/net/{}", pid_, table));
        if (text) add_socket_names(table, *text, *names_);
      }
    }
    auto found = names_->find(inode);
    return found == names_->end() ? nullptr : &found->second;
  }

 private:
  uint32_t pid_;
  std::optional<SocketNames> names_;
};

// A POSIX message queue looks like a file in the root directory.
bool may_be_message_queue(std::string_view link) {
  return link.starts_with("/") && link.find('/', 1) == std::string_view::npos;
}

class TableReader {
 public:
  TableReader(uint32_t pid, int directory, TraceTables& tables)
      : pid_(pid), directory_(directory), tables_(tables), sockets_(pid) {}

  std::optional<SnapshotEntry> read(int number) {
    std::string text = std::to_string(number);
    ssize_t length = readlinkat(directory_, text.c_str(), link_.data(), link_.size());
    if (length <= 0) return std::nullopt;  // closed meanwhile
    std::string_view link(link_.data(), static_cast<size_t>(length));
    struct stat info {};
    bool is_path = link.starts_with("/");
    if (is_path && fstatat(directory_, text.c_str(), &info, 0) != 0) info = {};

    FdTarget target = parse_fd_link(link, info.st_mode);
    SnapshotEntry entry;
    entry.value = number;
    entry.object = is_path ? info.st_ino : target.inode;
    std::string_view type = target.type;
    if (is_path && may_be_message_queue(link) && is_message_queue(text)) type = handle_type::message_queue;
    entry.type = tables_.intern(type);
    entry.name = tables_.intern(name_of(target, type, link));
    return entry;
  }

 private:
  bool is_message_queue(const std::string& number) const {
    constexpr decltype(statfs::f_type) message_queue_filesystem = 0x19800202;
    struct statfs info {};
    return statfs(fmt::format("/proc/{}/fd/{}", pid_, number).c_str(), &info) == 0 &&
           info.f_type == message_queue_filesystem;
  }

  std::string name_of(const FdTarget& target, std::string_view type, std::string_view link) {
    if (type == handle_type::socket) {
      const std::string* known = sockets_.name_of(target.inode);
      return known != nullptr ? "socket:[" + *known + "]" : std::string(link);
    }
    if (target.name.empty()) return std::string(link);
    return target.is_deleted ? target.name + " (deleted)" : target.name;
  }

  uint32_t pid_;
  int directory_;
  TraceTables& tables_;
  Sockets sockets_;
  std::array<char, 4200> link_{};
};

}  // namespace

uint64_t handle_limit_of(uint32_t pid) {
  rlimit limit{};
  if (prlimit(static_cast<pid_t>(pid), RLIMIT_NOFILE, nullptr, &limit) != 0) return 0;
  return limit.rlim_cur;
}

Result<HandleSnapshot> read_handle_table(uint32_t pid, TraceTables& tables) {
  HandleSnapshot snapshot;
  snapshot.begin = monotonic_now();
  std::string path = fmt::format("/proc/{}/fd", pid);
  auto directory = open_file(path, O_RDONLY | O_DIRECTORY);
  if (!directory) {
    Error error = directory.error();
    if (error.kind == ErrorKind::not_found) error.kind = ErrorKind::gone;
    return tl::unexpected<Error>(std::move(error));
  }
  TableReader reader(pid, directory->get(), tables);
  bool is_self = pid == static_cast<uint32_t>(getpid());
  for (int number : numbers_in(directory->get())) {
    if (is_self && number == directory->get()) continue;
    if (auto entry = reader.read(number)) snapshot.entries.push_back(*entry);
  }
  snapshot.handle_limit = handle_limit_of(pid);
  snapshot.end = monotonic_now();
  return snapshot;
}

}  // namespace culprit
