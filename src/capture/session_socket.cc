#include "capture/session_socket.h"

#include <fmt/core.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <span>

#include "base/syscall.h"
#include "format/procfs.h"

namespace culprit {
namespace {

constexpr int ancestor_limit = 64;

bool is_descendant(uint32_t pid, std::span<const uint32_t> ancestors) {
  auto self = static_cast<uint32_t>(getpid());
  for (int step = 0; step < ancestor_limit && pid > 1; step++) {
    if (pid == self || std::ranges::find(ancestors, pid) != ancestors.end()) return true;
    auto text = read_whole_file(fmt::format("/proc/{}/stat", pid), 4096);
    auto stat = text ? parse_stat(*text) : std::nullopt;
    if (!stat) return false;
    pid = stat->parent;
  }
  return false;
}

bool may_have_it(int connection, std::span<const uint32_t> let_in) {
  ucred peer{};
  socklen_t size = sizeof(peer);
  if (getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
  // pid 0: of a pid namespace that we cannot see into.
  return peer.pid > 0 ? is_descendant(static_cast<uint32_t>(peer.pid), let_in) : peer.uid == getuid();
}

void send_fd(int connection, int fd) {
  char byte = 0;
  iovec content{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &content;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(header), &fd, sizeof(fd));
  if (sendmsg(connection, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) return;  // the peer has gone
}

}  // namespace

Result<SessionSocket> SessionSocket::create(uint64_t session_id) {
  std::string name = fmt::format("culprit-{}-{:x}", getpid(), session_id);
  auto raw = checked("create a socket", [] { return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0); });
  if (!raw) return tl::unexpected<Error>(raw.error());
  Fd fd(*raw);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  name.copy(address.sun_path + 1, sizeof(address.sun_path) - 1);
  auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  CULPRIT_TRY(checked("name the socket", [&] { return bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size); }));
  CULPRIT_TRY(checked("listen on the socket", [&] { return listen(fd.get(), 64); }));
  return SessionSocket(std::move(fd), std::move(name));
}

void SessionSocket::serve(int memory) {
  constexpr int connections_per_round = 16;
  for (int i = 0; i < connections_per_round; i++) {
    Fd connection(accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!connection) return;
    if (may_have_it(connection.get(), let_in_)) send_fd(connection.get(), memory);
  }
}

}  // namespace culprit
