#include "target/handle_links.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <climits>
#include <future>
#include <iterator>
#include <mutex>
#include <thread>
#include <unordered_map>

#include "base/syscall.h"
#include "model/handle_event.h"
#include "target/ptrace_threads.h"

namespace culprit {
namespace {

struct linux_dirent64 {
  uint64_t d_ino;
  int64_t d_off;
  uint16_t d_reclen;
  uint8_t d_type;
  char d_name[];
};

// A POSIX message queue looks like a file in the root directory.
bool may_be_message_queue(std::string_view link) {
  return link.starts_with("/") && link.find('/', 1) == std::string_view::npos;
}

// The links of one part of a table.
class LinkReader {
 public:
  LinkReader(int folder, AskFiles ask) : folder_(folder), ask_(ask) {}

  HandleLink read(int number) {
    HandleLink link{.number = number, .text = {}};
    char name[16], text[4200];
    *std::to_chars(name, name + sizeof(name) - 1, number).ptr = '\0';
    const ssize_t length = readlinkat(folder_, name, text, sizeof(text));
    if (length <= 0) {
      is_refused_ |= length < 0 && errno == EACCES;
      return link;
    }
    link.text.assign(text, static_cast<size_t>(length));
    if (text[0] != '/') return link;
    if (ask_ == AskFiles::each || link.text.ends_with(" (deleted)")) {
      ask_file(folder_, name, link);
      return link;
    }
    auto [known, is_new] = by_name_.try_emplace(link.text, link);
    if (is_new) ask_file(folder_, name, known->second);
    link = known->second;
    link.number = number;
    return link;
  }

  // The kernel names the numbers of some processes (of pid 1 in some containers) and refuses what stands behind them.
  bool is_refused() const { return is_refused_; }

 private:
  int folder_;
  AskFiles ask_;
  bool is_refused_ = false;
  std::unordered_map<std::string, HandleLink> by_name_;
};

}  // namespace

void ask_file(int folder, const char* name, HandleLink& link) {
  struct stat info {};
  if (fstatat(folder, name, &info, 0) != 0) return;
  link.mode = info.st_mode;
  link.inode = info.st_ino;
  link.device = info.st_dev;
  link.size = static_cast<uint64_t>(info.st_size);
  link.allocated = static_cast<uint64_t>(info.st_blocks) * 512;
}

std::vector<int> numbers_in(int folder, int end) {
  std::vector<int> numbers;
  alignas(linux_dirent64) std::array<char, 65536> buffer;
  for (bool is_over = false; !is_over;) {
    long size = syscall(SYS_getdents64, folder, buffer.data(), buffer.size());
    if (size <= 0) break;
    for (long at = 0; at < size && !is_over;) {
      auto* entry = reinterpret_cast<linux_dirent64*>(buffer.data() + at);
      at += entry->d_reclen;
      if (entry->d_name[0] < '0' || entry->d_name[0] > '9') continue;
      const int number = atoi(entry->d_name);
      is_over = number >= end;
      if (!is_over) numbers.push_back(number);
    }
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

void in_parts(size_t count, const std::function<void(size_t first, size_t end)>& work, size_t at_least) {
  const size_t threads =
      std::clamp<size_t>(count / at_least, 1, std::clamp(std::thread::hardware_concurrency(), 1u, 4u));
  auto part = [&](size_t index) { work(count * index / threads, count * (index + 1) / threads); };
  std::vector<std::future<void>> others;
  // Where a thread cannot be had, the standard library does its part when it is asked for it.
  for (size_t index = 1; index < threads; ++index)
    others.push_back(std::async(std::launch::async | std::launch::deferred, part, index));
  part(0);
  for (std::future<void>& other : others) other.get();
}

namespace {

// Reads the table in parts. Making the entries of the folder costs the kernel as much as reading the links, and it can
// begin at any number: the position in the folder is the number and two (fs/proc/fd.c).
class TableReader {
 public:
  TableReader(uint32_t tid, AskFiles ask) : path_(fmt::format("/proc/{}/fd", tid)), ask_(ask) {}

  void read(int first, int end) {
    auto folder = open_file(path_, O_RDONLY | O_DIRECTORY);
    if (!folder) return fail_with(std::move(folder).error());
    constexpr int entries_before = 2;  // "." and ".."
    if (first > 0) lseek(folder->get(), first + entries_before, SEEK_SET);
    std::vector<HandleLink> links;
    LinkReader reader(folder->get(), ask_);
    for (int number : numbers_in(folder->get(), end)) {
      HandleLink link = reader.read(number);
      if (!link.text.empty()) links.push_back(std::move(link));
    }
    if (reader.is_refused()) return fail_with(system_error("read the links in " + path_, EACCES));
    std::lock_guard lock(mutex_);
    folders_.push_back(folder->get());
    std::move(links.begin(), links.end(), std::back_inserter(links_));
  }

  // By number. `is_own`: it is our own table, in which the folders stand that it was read through.
  Result<std::vector<HandleLink>> result(bool is_own) && {
    if (error_) return tl::unexpected<Error>(std::move(*error_));
    if (is_own) std::erase_if(links_, [this](const HandleLink& link) { return is_folder(link.number); });
    std::ranges::sort(links_, {}, &HandleLink::number);
    return std::move(links_);
  }

 private:
  void fail_with(Error error) {
    if (error.kind == ErrorKind::not_found) error.kind = ErrorKind::gone;
    std::lock_guard lock(mutex_);
    error_ = std::move(error);
  }
  bool is_folder(int number) const { return std::ranges::find(folders_, number) != folders_.end(); }

  const std::string path_;
  const AskFiles ask_;
  std::mutex mutex_;  // guards what follows
  std::vector<HandleLink> links_;
  std::vector<int> folders_;
  std::optional<Error> error_;
};

int handle_slots_of(uint32_t pid) {
  auto text = read_whole_file(fmt::format("/proc/{}/status", pid), 65536);
  auto status = text ? parse_status(*text) : std::nullopt;
  constexpr uint32_t most = 1u << 30;
  return status ? static_cast<int>(std::min(status->handle_slots, most)) : 0;
}

}  // namespace

Result<std::vector<HandleLink>> read_handle_links(uint32_t pid, AskFiles ask) {
  const uint32_t tid = living_thread(pid);
  TableReader reader(tid, ask);
  const auto slots = static_cast<size_t>(handle_slots_of(tid));
  in_parts(slots, [&](size_t first, size_t end) {
    // The table may grow while it is read.
    reader.read(static_cast<int>(first), end == slots ? INT_MAX : static_cast<int>(end));
  });
  return std::move(reader).result(pid == static_cast<uint32_t>(getpid()));
}

FdTarget target_of(uint32_t pid, const HandleLink& link) {
  constexpr decltype(statfs::f_type) message_queue_filesystem = 0x19800202;
  FdTarget target = parse_fd_link(link.text, link.mode);
  if (!S_ISREG(link.mode) || !may_be_message_queue(link.text)) return target;
  struct statfs info {};
  if (statfs(fmt::format("/proc/{}/fd/{}", living_thread(pid), link.number).c_str(), &info) == 0 &&
      info.f_type == message_queue_filesystem)
    target.type = handle_type::message_queue;
  return target;
}

Result<std::map<std::string_view, uint64_t>> count_handle_types(uint32_t pid) {
  auto links = read_handle_links(pid, AskFiles::once_per_name);
  if (!links) return tl::unexpected<Error>(links.error());
  std::map<std::string_view, uint64_t> counts;
  for (const HandleLink& link : *links) ++counts[target_of(pid, link).type];
  return counts;
}

uint64_t handle_limit_of(uint32_t pid) {
  rlimit limit{};
  if (prlimit(static_cast<pid_t>(pid), RLIMIT_NOFILE, nullptr, &limit) != 0) return 0;
  return limit.rlim_cur;
}

const SocketRow* SocketTables::find(uint64_t inode) {
  if (!rows_) {
    rows_.emplace();
    for (std::string_view table : socket_tables) {
      auto text = read_whole_file(fmt::format("/proc/{}/net/{}", pid_, table));
      if (text) add_socket_rows(table, *text, *rows_);
    }
  }
  auto found = rows_->find(inode);
  return found == rows_->end() ? nullptr : &found->second;
}

}  // namespace culprit
