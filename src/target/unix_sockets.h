// Who is connected to whom by unix sockets, from the kernel over netlink.
#pragma once

#include <cstdint>
#include <unordered_map>

#include "base/result.h"
#include "format/sock_diag.h"

namespace culprit {

using UnixSockets = std::unordered_map<uint64_t, UnixSocket>;  // by inode

// All of the network namespace that a process is in. Errors: no_access (another namespace, and we are not root),
// unsupported (a kernel without unix_diag).
Result<UnixSockets> read_unix_sockets(uint32_t pid);

}  // namespace culprit
