#include "agent/receive_fd.h"

#include "agent/memory.h"
#include "agent/raw_syscall.h"

namespace culprit::agent {

namespace {

constexpr uint64_t unix_domain = 1, stream = 1, close_on_exec = 02000000;
constexpr uint64_t sol_socket = 1, receive_timeout = 20;

struct UnixAddress {
  uint16_t family;
  char path[108];
};

struct Piece {
  uint64_t start, size;
};

struct Message {
  uint64_t name;
  uint32_t name_length, padding;
  uint64_t pieces, piece_count;
  uint64_t control, control_length;
  uint32_t flags, padding2;
};

struct PassedFd {
  uint64_t length;
  int32_t level, type;
  int32_t fd, padding;
};

int64_t exchange(uint64_t socket, const char* name, uint64_t session_id) {
  int64_t timeout[2] = {0, 300'000};
  raw_syscall(__NR_setsockopt, socket, sol_socket, receive_timeout, address_of(timeout), sizeof timeout);
  UnixAddress address{unix_domain, {}};
  size_t length = length_of(name, sizeof address.path - 1);
  memcpy(address.path + 1, name, length);
  int64_t result = raw_syscall(__NR_connect, socket, address_of(&address), sizeof address.family + 1 + length);
  if (result < 0) return result;
  constexpr uint64_t no_signal = 0x4000;
  result = raw_syscall(__NR_sendto, socket, address_of(&session_id), sizeof session_id, no_signal);
  if (result < 0) return result;

  char answer = 0;
  PassedFd passed{};
  Piece piece{address_of(&answer), 1};
  Message message{};
  message.pieces = address_of(&piece);
  message.piece_count = 1;
  message.control = address_of(&passed);
  message.control_length = sizeof passed;
  constexpr uint64_t cmsg_close_on_exec = 0x40000000;
  result = raw_syscall(__NR_recvmsg, socket, address_of(&message), cmsg_close_on_exec);
  constexpr int32_t scm_rights = 1;
  bool passed_one = result == 1 && passed.length == 20 && passed.level == static_cast<int32_t>(sol_socket) &&
                    passed.type == scm_rights;
  return passed_one ? passed.fd : -1;
}

}  // namespace

int64_t receive_fd(const char* name, uint64_t session_id) {
  int64_t socket = raw_syscall(__NR_socket, unix_domain, stream | close_on_exec, 0);
  if (socket < 0) return socket;
  int64_t fd = exchange(static_cast<uint64_t>(socket), name, session_id);
  raw_syscall(__NR_close, static_cast<uint64_t>(socket));
  return fd;
}

}  // namespace culprit::agent
