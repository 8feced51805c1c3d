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
#include <charconv>
#include <future>
#include <optional>
#include <span>
#include <thread>

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

// What /proc says of one handle.
struct Link {
  int number = 0;
  mode_t mode = 0;
  uint64_t inode = 0;  // of what has a path
  std::string text;    // empty: closed meanwhile
};

Link read_link(int directory, int number) {
  Link link{.number = number, .text = {}};
  char name[16], text[4200];
  *std::to_chars(name, name + sizeof(name) - 1, number).ptr = '\0';
  ssize_t length = readlinkat(directory, name, text, sizeof(text));
  if (length <= 0) return link;
  link.text.assign(text, static_cast<size_t>(length));
  struct stat info {};
  if (text[0] != '/' || fstatat(directory, name, &info, 0) != 0) return link;
  link.mode = info.st_mode;
  link.inode = info.st_ino;
  return link;
}

// Each link costs the kernel some microseconds, so large tables are read by several threads.
std::vector<Link> read_links(int directory, std::span<const int> numbers) {
  constexpr size_t links_per_thread = 2000;
  const size_t threads =
      std::clamp<size_t>(numbers.size() / links_per_thread, 1, std::clamp(std::thread::hardware_concurrency(), 1u, 4u));
  std::vector<Link> links(numbers.size());
  auto read_part = [&](size_t part) {
    const size_t first = numbers.size() * part / threads, end = numbers.size() * (part + 1) / threads;
    for (size_t i = first; i < end; ++i) links[i] = read_link(directory, numbers[i]);
  };
  std::vector<std::future<void>> others;
  // Where a thread cannot be had, the standard library does its part when it is asked for it.
  for (size_t part = 1; part < threads; ++part)
    others.push_back(std::async(std::launch::async | std::launch::deferred, read_part, part));
  read_part(0);
  for (std::future<void>& other : others) other.get();
  return links;
}

std::string_view type_of(uint32_t pid, const Link& link, const FdTarget& target) {
  constexpr decltype(statfs::f_type) message_queue_filesystem = 0x19800202;
  if (!may_be_message_queue(link.text)) return target.type;
  struct statfs info {};
  const bool is_queue = statfs(fmt::format("/proc/{}/fd/{}", pid, link.number).c_str(), &info) == 0 &&
                        info.f_type == message_queue_filesystem;
  return is_queue ? handle_type::message_queue : target.type;
}

// Turns links into entries.
class TableReader {
 public:
  TableReader(uint32_t pid, TraceTables& tables) : pid_(pid), tables_(tables), sockets_(pid) {}

  SnapshotEntry entry_of(const Link& link) {
    FdTarget target = parse_fd_link(link.text, link.mode);
    SnapshotEntry entry;
    entry.value = link.number;
    entry.object = link.text.starts_with("/") ? link.inode : target.inode;
    std::string_view type = type_of(pid_, link, target);
    entry.type = tables_.intern(type);
    entry.name = tables_.intern(name_of(target, type, link.text));
    return entry;
  }

 private:
  std::string name_of(const FdTarget& target, std::string_view type, std::string_view link) {
    if (type == handle_type::socket) {
      const std::string* known = sockets_.name_of(target.inode);
      return known != nullptr ? "socket:[" + *known + "]" : std::string(link);
    }
    if (target.name.empty()) return std::string(link);
    return target.is_deleted ? target.name + " (deleted)" : target.name;
  }

  uint32_t pid_;
  TraceTables& tables_;
  Sockets sockets_;
};

}  // namespace

uint64_t handle_limit_of(uint32_t pid) {
  rlimit limit{};
  if (prlimit(static_cast<pid_t>(pid), RLIMIT_NOFILE, nullptr, &limit) != 0) return 0;
  return limit.rlim_cur;
}

namespace {

// All of a process, by number, without the one that we read them through.
Result<std::vector<Link>> links_of(uint32_t pid) {
  auto directory = open_file(fmt::format("/proc/{}/fd", pid), O_RDONLY | O_DIRECTORY);
  if (!directory) {
    Error error = directory.error();
    if (error.kind == ErrorKind::not_found) error.kind = ErrorKind::gone;
    return tl::unexpected<Error>(std::move(error));
  }
  std::vector<int> numbers = numbers_in(directory->get());
  if (pid == static_cast<uint32_t>(getpid())) std::erase(numbers, directory->get());
  std::vector<Link> links = read_links(directory->get(), numbers);
  std::erase_if(links, [](const Link& link) { return link.text.empty(); });
  return links;
}

}  // namespace

Result<HandleSnapshot> read_handle_table(uint32_t pid, TraceTables& tables) {
  HandleSnapshot snapshot;
  snapshot.begin = monotonic_now();
  auto links = links_of(pid);
  if (!links) return tl::unexpected<Error>(links.error());
  TableReader reader(pid, tables);
  for (const Link& link : *links) snapshot.entries.push_back(reader.entry_of(link));
  snapshot.handle_limit = handle_limit_of(pid);
  snapshot.end = monotonic_now();
  return snapshot;
}

Result<std::map<std::string_view, uint64_t>> count_handle_types(uint32_t pid) {
  auto links = links_of(pid);
  if (!links) return tl::unexpected<Error>(links.error());
  std::map<std::string_view, uint64_t> counts;
  for (const Link& link : *links) ++counts[type_of(pid, link, parse_fd_link(link.text, link.mode))];
  return counts;
}

}  // namespace culprit
