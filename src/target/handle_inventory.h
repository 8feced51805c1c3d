// The handles of a live process, and what the kernel tells about each: /proc/PID/fd, fdinfo, the tables of sockets. The
// process is not stopped and does not notice. What costs is read for chosen handles only.
//
// All strings are foreign: show them through printable().
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "format/fdinfo.h"
#include "format/procfs.h"
#include "format/sock_diag.h"
#include "model/loss.h"
#include "target/handle_holders.h"

namespace culprit {

struct OpenHandle {
  int64_t value = -1;
  std::string_view type;           // one of handle_type::
  std::string link;                // "pipe:[12]", "/etc/passwd": what is equal for handles on one object, by and large
  std::string name;                // as SocketRow's or a path; empty: it has none
  uint64_t inode = 0, device = 0;  // device: st_dev of what has a path
  uint64_t size = 0, allocated = 0;  // bytes, of what has a path
  bool is_deleted = false;           // the file has no name any more
  std::optional<SocketRow> socket;   // nothing: no socket, or in none of the tables

  // What read_handle_details() adds:
  std::optional<FdInfo> info;  // nothing: not read, or it went meanwhile
  std::string protocol;        // of a socket that is in no table: "TCP", "UNIX-STREAM" …
  std::string process;         // of a pidfd: its name
  char process_state = '?';    // of a pidfd: as in /proc/PID/stat; '?': unknown
  uint64_t peer_inode = 0;     // of a connected socket whose other end is on this machine
  std::optional<UnixSocket> unix_socket;
};

struct HandleInventory {
  uint32_t pid = 0;
  std::string process, command;
  OpenFilesLimit limit;             // 0 and 0: unknown
  std::vector<OpenHandle> handles;  // by value
  bool other_mounts = false;        // paths are those of another mount namespace than ours
  bool other_network = false;       // addresses are those of another network namespace
  SocketRows sockets;               // of its network namespace, by inode; empty where no handle is a socket

  // What read_handle_details() adds:
  HolderSearch holders;         // of the chosen handles' other ends, and of the same ends
  std::vector<FileLock> locks;  // of the machine, when a chosen handle holds one
  std::vector<Loss> losses;
};

// Numbers, types, names, sizes of all handles. Errors: gone (there is no such process, or it ended while it was looked
// at), no_access (another user's).
Result<HandleInventory> read_handle_inventory(uint32_t pid);

struct DetailWish {
  bool holders = true;           // who has the other ends
  uint64_t most_links = 50'000;  // of other processes that are looked at for that; 0: all there are
};
// Everything about some of them, by index into `handles`. What could not be had is in `losses`.
void read_handle_details(HandleInventory& inventory, std::span<const size_t> chosen, const DetailWish& wish);

}  // namespace culprit
