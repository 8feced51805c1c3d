// The kernel's answers about unix sockets over NETLINK_SOCK_DIAG (linux/unix_diag.h): who is connected to whom, which
// no file in /proc tells. Bytes in, values out: no I/O.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"

namespace culprit {

struct UnixSocket {
  uint64_t inode = 0;
  uint64_t peer = 0;  // the inode of the socket it is connected to; 0: none
  // Bytes waiting in it, and sent by it and not yet received. Of a listening one: connections waiting, and how many
  // may.
  uint32_t receive_queue = 0, send_queue = 0;
};

struct DiagReply {
  bool is_last = false;
  int error = 0;  // an errno: the kernel could not answer
};
// One datagram of an answer; a damaged rest of it is skipped and is the last.
DiagReply add_unix_sockets(Bytes datagram, std::vector<UnixSocket>& into);

// The request for all unix sockets of a network namespace, with peers and queues.
std::string unix_sockets_request();

}  // namespace culprit
