#include "target/handle_inventory.h"

#include <fmt/core.h>

#include "base/syscall.h"
#include "base/text.h"
#include "model/handle_event.h"
#include "target/handle_links.h"
#include "target/process_facts.h"
#include "target/ptrace_threads.h"

namespace culprit {

namespace {

Error not_there(uint32_t pid) { return {ErrorKind::gone, fmt::format("there is no process {}", pid), {}}; }

Error ended(uint32_t pid) {
  return {ErrorKind::gone, fmt::format("process {} has ended: it has no handles any more", pid), {}};
}

// The process that is meant: it is there and has not ended.
Result<ProcessStat> living(uint32_t pid) {
  auto stat = process_stat(pid);
  if (!stat) return tl::unexpected<Error>(not_there(pid));
  if (has_ended(pid)) return tl::unexpected<Error>(ended(pid));
  return *stat;
}

Error explained(Error error, uint32_t pid, const std::string& name) {
  if (error.kind == ErrorKind::gone) return ended(pid);
  if (error.kind != ErrorKind::no_access) return error;
  return {ErrorKind::no_access,
          fmt::format("the handles of process {} ({}) may not be read: it is another user's, or protected; run culprit "
                      "as root (CAP_SYS_PTRACE)",
                      pid, printable(name)),
          {}};
}

OpenFilesLimit limit_of(uint32_t pid) {
  auto text = read_whole_file(fmt::format("/proc/{}/limits", pid), 65536);
  if (!text) return {};
  return parse_open_files_limit(*text).value_or(OpenFilesLimit{});
}

// "eventfd" as the name of an eventfd tells nothing.
bool is_only_the_type(const FdTarget& target, const std::string& link) {
  return link.starts_with("anon_inode:") && target.type != handle_type::other && target.type != handle_type::bpf &&
         target.type != handle_type::kvm && target.type != handle_type::mount;
}

OpenHandle handle_of(uint32_t pid, HandleLink&& link, SocketTables& sockets) {
  FdTarget target = target_of(pid, link);
  OpenHandle handle;
  handle.value = link.number;
  handle.type = target.type;
  handle.is_deleted = target.is_deleted;
  handle.inode = link.text.starts_with('/') ? link.inode : target.inode;
  handle.device = link.device;
  handle.size = link.size;
  handle.allocated = link.allocated;
  if (target.type == handle_type::socket && target.inode != 0) {
    if (const SocketRow* row = sockets.find(target.inode)) handle.socket = *row;
    if (handle.socket) handle.name = name_of(*handle.socket);
  } else if (!is_only_the_type(target, link.text)) {
    handle.name = std::move(target.name);
  }
  handle.link = std::move(link.text);
  return handle;
}

}  // namespace

Result<HandleInventory> read_handle_inventory(uint32_t pid) {
  auto before = living(pid);
  if (!before) return tl::unexpected<Error>(std::move(before).error());
  HandleInventory inventory;
  inventory.pid = pid;
  inventory.process = before->name;
  auto links = read_handle_links(pid, AskFiles::once_per_name);
  if (!links) return tl::unexpected<Error>(explained(std::move(links).error(), pid, before->name));
  SocketTables sockets(pid);
  inventory.handles.reserve(links->size());
  for (HandleLink& link : *links) inventory.handles.push_back(handle_of(pid, std::move(link), sockets));
  inventory.sockets = std::move(sockets).take();
  inventory.command = process_command(living_thread(pid));
  inventory.limit = limit_of(pid);
  inventory.other_mounts = is_in_other_namespace(pid, "mnt");
  inventory.other_network = is_in_other_namespace(pid, "net");
  // A table that empties while a process dies is not what it had.
  auto after = process_stat(pid);
  if (!after || has_ended(pid) || after->start_ticks != before->start_ticks) return tl::unexpected<Error>(ended(pid));
  return inventory;
}

}  // namespace culprit
