// What is known about a handle besides its name.
#include <fcntl.h>
#include <fmt/core.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cstring>

#include "base/syscall.h"
#include "model/handle_event.h"
#include "target/handle_inventory.h"
#include "target/handle_links.h"
#include "target/process_facts.h"
#include "target/ptrace_threads.h"
#include "target/unix_sockets.h"

namespace culprit {

namespace {

// All of a file of /proc/PID/fdinfo: one call unless it is an epoll's with very many watches.
std::string read_at(int folder, const char* name) {
  std::string text;
  const Fd file(::openat(folder, name, O_RDONLY | O_CLOEXEC));
  if (!file) return text;
  char buffer[16384];
  constexpr size_t longest = size_t{64} << 20;
  while (text.size() < longest) {
    const ssize_t size = ::read(file.get(), buffer, sizeof buffer);
    if (size <= 0) break;
    text.append(buffer, static_cast<size_t>(size));
    // The kernel makes the text whole: what is shorter than asked for is the end of it.
    if (static_cast<size_t>(size) < sizeof buffer) break;
  }
  return text;
}

// Sockets that were never bound nor connected are in no table, those of another namespace in none of ours.
std::string protocol_of(const std::string& path) {
  char name[64];
  const ssize_t size = ::getxattr(path.c_str(), "system.sockprotoname", name, sizeof name);
  return size <= 0 ? "" : std::string(name, strnlen(name, static_cast<size_t>(size)));
}

class DetailReader {
 public:
  explicit DetailReader(uint32_t pid) : tid_(living_thread(pid)) {
    if (auto opened = open_file(fmt::format("/proc/{}/fd", tid_), O_RDONLY | O_DIRECTORY)) links_ = std::move(*opened);
    if (auto opened = open_file(fmt::format("/proc/{}/fdinfo", tid_), O_RDONLY | O_DIRECTORY))
      infos_ = std::move(*opened);
  }

  void read(OpenHandle& handle) {
    char name[24];
    *std::to_chars(name, name + sizeof(name) - 1, handle.value).ptr = '\0';
    const std::string text = read_at(infos_.get(), name);
    if (text.empty() || !still_is(handle, name)) {
      ++changed_;
      return;
    }
    handle.info = parse_fdinfo(text);
    if (handle.link.starts_with('/')) ask_again(handle, name);
    if (handle.type == handle_type::socket && !handle.socket)
      handle.protocol = protocol_of(fmt::format("/proc/{}/fd/{}", tid_, handle.value));
    if (handle.info->pidfd_pid && *handle.info->pidfd_pid > 0) {
      const auto pid = static_cast<uint32_t>(*handle.info->pidfd_pid);
      handle.process = process_name(pid);
      if (auto stat = process_stat(pid)) handle.process_state = stat->state;
    }
  }

  uint64_t changed() const { return changed_; }

 private:
  // The table may have been read with one question for all of that name.
  void ask_again(OpenHandle& handle, const char* name) {
    HandleLink link;
    ask_file(links_.get(), name, link);
    if (link.mode == 0) return;
    handle.inode = link.inode;
    handle.device = link.device;
    handle.size = link.size;
    handle.allocated = link.allocated;
    link.number = static_cast<int>(handle.value);
    link.text = handle.link;
    handle.type = target_of(tid_, link).type;
  }

  bool still_is(const OpenHandle& handle, const char* name) const {
    char text[4200];
    const ssize_t length = ::readlinkat(links_.get(), name, text, sizeof text);
    return length > 0 && std::string_view(text, static_cast<size_t>(length)) == handle.link;
  }

  uint32_t tid_;  // a thread that lives
  Fd links_, infos_;
  std::atomic<uint64_t> changed_ = 0;
};

// An IPv4 connection may have an IPv6 socket at one end.
std::string_view plain_address(std::string_view address, std::string& space) {
  constexpr std::string_view mapped = "[::ffff:";
  if (!address.starts_with(mapped)) return address;
  const size_t end = address.find(']');
  if (end == address.npos) return address;
  space = std::string(address.substr(mapped.size(), end - mapped.size())) + std::string(address.substr(end + 1));
  return space;
}

std::string connection(std::string_view table, std::string_view from, std::string_view to) {
  std::string from_space, to_space;
  return fmt::format("{} {} {}", table.substr(0, 3), plain_address(from, from_space), plain_address(to, to_space));
}

// The other ends of connections within this machine.
void find_internet_peers(HandleInventory& inventory, std::span<const size_t> chosen) {
  auto is_connected = [](const SocketRow& row) {
    return !row.remote.empty() && (row.table.starts_with("tcp") || row.table.starts_with("udp"));
  };
  auto wants_peer = [&](size_t index) {
    const auto& socket = inventory.handles[index].socket;
    return socket && is_connected(*socket);
  };
  if (std::ranges::none_of(chosen, wants_peer)) return;
  std::unordered_map<std::string, uint64_t> inodes;
  for (const auto& [inode, row] : inventory.sockets)
    if (is_connected(row)) inodes.try_emplace(connection(row.table, row.local, row.remote), inode);
  for (size_t index : chosen) {
    if (!wants_peer(index)) continue;
    OpenHandle& handle = inventory.handles[index];
    auto peer = inodes.find(connection(handle.socket->table, handle.socket->remote, handle.socket->local));
    if (peer != inodes.end()) handle.peer_inode = peer->second;
  }
}

void find_unix_peers(HandleInventory& inventory, std::span<const size_t> chosen) {
  auto is_unix = [&](size_t index) {
    const auto& socket = inventory.handles[index].socket;
    return socket && socket->table == "unix";
  };
  if (std::ranges::none_of(chosen, is_unix)) return;
  auto sockets = read_unix_sockets(inventory.pid);
  if (!sockets) {
    inventory.losses.push_back({LossKind::kernel_silent, 1, ProcessId::none, sockets.error().what});
    return;
  }
  for (size_t index : chosen) {
    OpenHandle& handle = inventory.handles[index];
    auto found = is_unix(index) ? sockets->find(handle.inode) : sockets->end();
    if (found == sockets->end()) continue;
    handle.unix_socket = found->second;
    handle.peer_inode = found->second.peer;
  }
}

// What other processes may hold: pipes, and the sockets at other ends.
HeldObjects wanted_objects(const HandleInventory& inventory, std::span<const size_t> chosen) {
  HeldObjects objects;
  for (size_t index : chosen) {
    const OpenHandle& handle = inventory.handles[index];
    if (handle.type == handle_type::pipe) objects[handle.link] = {};
    if (handle.type == handle_type::fifo) objects[handle.link] = {handle.inode, handle.device};
    if (handle.peer_inode != 0) objects[fmt::format("socket:[{}]", handle.peer_inode)] = {};
  }
  return objects;
}

void find_other_ends(HandleInventory& inventory, std::span<const size_t> chosen, uint64_t most_links) {
  find_internet_peers(inventory, chosen);
  find_unix_peers(inventory, chosen);
  KnownTable known{inventory.pid, {}};
  for (const OpenHandle& handle : inventory.handles) known.links.emplace_back(handle.value, handle.link);
  inventory.holders = find_holders(wanted_objects(inventory, chosen), known, most_links);
  if (inventory.holders.processes_not_readable > 0)
    inventory.losses.push_back(
        {LossKind::process_not_readable, inventory.holders.processes_not_readable, ProcessId::none, ""});
  if (inventory.holders.processes_left_out > 0)
    inventory.losses.push_back({LossKind::search_limit, inventory.holders.processes_left_out, ProcessId::none, ""});
}

}  // namespace

void read_handle_details(HandleInventory& inventory, std::span<const size_t> chosen, const DetailWish& wish) {
  DetailReader reader(inventory.pid);
  in_parts(chosen.size(), [&](size_t first, size_t end) {
    for (size_t i = first; i < end; ++i) reader.read(inventory.handles[chosen[i]]);
  });
  if (reader.changed() > 0)
    inventory.losses.push_back({LossKind::target_changed, reader.changed(), ProcessId::none, ""});
  auto holds_lock = [&](size_t index) {
    const auto& info = inventory.handles[index].info;
    return info && !info->locks.empty();
  };
  if (std::ranges::any_of(chosen, holds_lock))
    if (auto text = read_whole_file("/proc/locks")) inventory.locks = parse_locks(*text);
  if (wish.holders) find_other_ends(inventory, chosen, wish.most_links);
}

}  // namespace culprit
