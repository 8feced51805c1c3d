// links: format
#include "format/cgroup.h"
#include "format/fdinfo.h"
#include "format/process_status.h"
#include "format/procfs.h"
#include "format/sock_diag.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace culprit;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const MapsEntry& entry : parse_maps(text))
    if (entry.start >= entry.end) __builtin_trap();
  parse_status(text);
  parse_stat(text);
  parse_thread_call(text);
  parse_last_run(text);
  parse_open_files_limit(text);
  if (parse_fdinfo(text).lines.size() > 64) __builtin_trap();
  for (const char* controller : {"", "memory"}) cgroup_path(text, controller);
  cgroup_number(text);
  cgroup_counter(text, "oom_kill");
  parse_signal_sets(text);
  parse_memory_use(text);
  parse_locks(text);
  if (parse_fd_link(text, size > 0 ? data[0] << 12 : 0).type.empty()) __builtin_trap();
  SocketRows rows;
  for (std::string_view table : socket_tables) add_socket_rows(table, text, rows);
  for (const auto& [inode, row] : rows) name_of(row);
  std::vector<UnixSocket> sockets;
  add_unix_sockets(as_bytes(text), sockets);
  return 0;
}
