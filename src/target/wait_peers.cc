#include "target/wait_peers.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/syscall.h"
#include "format/fdinfo.h"
#include "format/procfs.h"
#include "target/handle_holders.h"
#include "target/pid_namespace.h"
#include "target/ptrace_threads.h"
#include "target/unix_sockets.h"

namespace culprit {

namespace {

constexpr uint64_t most_links = 200'000;

std::string link_of(const std::string& path) {
  std::array<char, 4096> text;
  ssize_t size = readlink(path.c_str(), text.data(), text.size());
  return std::string(text.data(), size < 0 ? 0 : static_cast<size_t>(size));
}

std::string fd_path(uint32_t pid, uint64_t fd) {
  return fmt::format("/proc/{}/fd/{}", living_thread(pid), static_cast<int>(fd));
}

std::string name_of_process(uint32_t pid) {
  auto text = read_whole_file(fmt::format("/proc/{}/status", pid), 8192);
  auto status = text ? parse_status(*text) : std::nullopt;
  return fmt::format("{} (pid {})", status ? status->name : "?", pid);
}

// Who has the file open in such a way that it is locked, which the handle's information tells.
void find_open_lock_holders(uint32_t pid, const std::string& link, const struct stat& file, PeerWait& wait) {
  const HolderSearch search = find_holders({{link, {file.st_ino, file.st_dev}}}, pid, most_links);
  wait.are_all_known = search.processes_not_readable == 0 && search.processes_left_out == 0;
  const HolderSearch::Found* found = search.find(link);
  if (found == nullptr) return;
  wait.are_all_known &= found->in_all == found->holders.size();
  for (const HandleHolder& holder : found->holders) {
    auto text = read_whole_file(fmt::format("/proc/{}/fdinfo/{}", holder.pid, holder.value));
    const FdInfo info = text ? parse_fdinfo(*text) : FdInfo{};
    const bool has_lock = std::ranges::any_of(info.locks, [](const FileLock& lock) { return lock.pid <= 0; });
    if (has_lock && std::ranges::count(wait.processes, holder.pid) == 0) wait.processes.push_back(holder.pid);
  }
}

std::optional<PeerWait> file_lock_wait(uint32_t pid, uint64_t fd) {
  struct stat file {};
  if (stat(fd_path(pid, fd).c_str(), &file) != 0) return {};
  PeerWait wait;
  wait.kind = PeerKind::file_lock;
  wait.name = link_of(fd_path(pid, fd));
  wait.key = fmt::format("file lock {}:{}", file.st_dev, file.st_ino);
  wait.are_all_known = true;
  bool has_unnamed = false;
  auto table = read_whole_file("/proc/locks");
  for (const FileLock& lock : table ? parse_locks(*table) : std::vector<FileLock>{}) {
    if (lock.is_waiting || lock.inode != file.st_ino || lock.device_major != major(file.st_dev) ||
        lock.device_minor != minor(file.st_dev))
      continue;
    // Of a lock of an open file, and of one in another pid namespace, no process is told.
    if (lock.pid <= 0) {
      has_unnamed = true;
    } else {
      wait.processes.push_back(static_cast<uint32_t>(lock.pid));
    }
  }
  if (has_unnamed) find_open_lock_holders(pid, wait.name, file, wait);
  // Several readers have to go, not any of them: which of them keeps it waiting is not for the graph to say.
  if (wait.processes.size() != 1) wait.are_all_known = false;
  return wait;
}

// Who has the other end: of a pipe, whoever has it open the other way; of a socket, whoever has its peer.
void find_peers(uint32_t pid, const std::string& link, bool is_socket, PeerWait& wait) {
  const HolderSearch search = find_holders({{link, {}}}, pid, most_links);
  wait.are_all_known = search.processes_not_readable == 0 && search.processes_left_out == 0;
  const HolderSearch::Found* found = search.find(link);
  if (found == nullptr) return;
  wait.are_all_known &= found->in_all == found->holders.size();
  for (const HandleHolder& holder : found->holders)
    if (is_socket || (wait.is_write ? holder.reads : holder.writes)) wait.processes.push_back(holder.pid);
  auto [same, end] = std::ranges::unique(wait.processes);
  wait.processes.erase(same, end);
}

std::optional<PeerWait> stream_wait(uint32_t pid, uint64_t fd, bool is_write) {
  const std::string link = link_of(fd_path(pid, fd));
  PeerWait wait;
  wait.is_write = is_write;
  wait.key = link;
  if (link.starts_with("pipe:[")) {
    wait.kind = PeerKind::pipe;
    wait.name = link.substr(6, link.size() - 7);
    find_peers(pid, link, false, wait);
    return wait;
  }
  if (!link.starts_with("socket:[")) return {};
  auto sockets = read_unix_sockets(pid);
  if (!sockets) return {};
  const auto socket = sockets->find(strtoull(link.c_str() + 8, nullptr, 10));
  if (socket == sockets->end() || socket->second.peer == 0) return {};
  wait.kind = PeerKind::socket;
  wait.name = link.substr(8, link.size() - 9);
  find_peers(pid, fmt::format("socket:[{}]", socket->second.peer), true, wait);
  return wait;
}

std::optional<PeerWait> child_wait(uint32_t parent, uint64_t child) {
  const auto number = static_cast<int32_t>(child);
  if (number <= 0) return {};  // any child, or any of a group
  auto pid = std::optional(static_cast<uint32_t>(number));
  if (has_own_numbers(parent)) pid = child_by_own_number(parent, *pid);
  if (!pid) return {};
  PeerWait wait;
  wait.kind = PeerKind::child;
  wait.name = name_of_process(*pid);
  wait.key = fmt::format("process {}", *pid);
  wait.processes = {*pid};
  wait.are_all_known = true;
  return wait;
}

}  // namespace

std::optional<PeerWait> peer_wait_of(uint32_t pid, const BlockingCall& call) {
  const auto& arguments = call.arguments;
  switch (call.number) {
    case SYS_flock:
      return file_lock_wait(pid, arguments[0]);
    case SYS_fcntl:
      if (arguments[1] != F_SETLKW && arguments[1] != F_OFD_SETLKW) return {};
      return file_lock_wait(pid, arguments[0]);
    case SYS_read:
    case SYS_readv:
    case SYS_recvfrom:
    case SYS_recvmsg:
      return stream_wait(pid, arguments[0], false);
    case SYS_write:
    case SYS_writev:
    case SYS_sendto:
    case SYS_sendmsg:
      return stream_wait(pid, arguments[0], true);
    case SYS_wait4:
      return child_wait(pid, arguments[0]);
    case SYS_waitid:
      if (arguments[0] != P_PID) return {};
      return child_wait(pid, arguments[1]);
    default:
      return {};
  }
}

}  // namespace culprit
