#include "target/unix_sockets.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <linux/netlink.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <future>

#include "base/syscall.h"
#include "target/process_facts.h"

namespace culprit {

namespace {

constexpr std::string_view doing = "cannot ask the kernel for the peers of unix sockets";

Result<UnixSockets> ask_kernel() {
  auto number = checked(doing, [] { return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG); });
  if (!number) return tl::unexpected<Error>(std::move(number).error());
  const Fd netlink(*number);
  // It answers at once or not at all.
  const timeval patience{.tv_sec = 2, .tv_usec = 0};
  setsockopt(netlink.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  const std::string request = unix_sockets_request();
  CULPRIT_TRY(checked(doing, [&] { return send(netlink.get(), request.data(), request.size(), 0); }));
  std::vector<UnixSocket> sockets;
  std::string buffer(size_t{1} << 16, '\0');
  for (DiagReply reply; !reply.is_last;) {
    auto size = checked(doing, [&] { return recv(netlink.get(), buffer.data(), buffer.size(), 0); });
    if (!size) return tl::unexpected<Error>(std::move(size).error());
    if (*size == 0) break;
    reply = add_unix_sockets(as_bytes(std::string_view(buffer.data(), static_cast<size_t>(*size))), sockets);
    if (reply.error != 0) return tl::unexpected<Error>(system_error(doing, reply.error));
  }
  UnixSockets by_inode;
  for (const UnixSocket& socket : sockets) by_inode.try_emplace(socket.inode, socket);
  return by_inode;
}

Result<UnixSockets> ask_in_namespace_of(uint32_t pid) {
  auto space = open_file(fmt::format("/proc/{}/ns/net", pid), O_RDONLY);
  if (!space) return tl::unexpected<Error>(std::move(space).error());
  CULPRIT_TRY(checked(doing, [&] { return setns(space->get(), CLONE_NEWNET); }));
  return ask_kernel();
}

}  // namespace

Result<UnixSockets> read_unix_sockets(uint32_t pid) {
  if (!is_in_other_namespace(pid, "net")) return ask_kernel();
  // Which namespace a thread is in is its own affair: one that ends with the question.
  return std::async(std::launch::async, ask_in_namespace_of, pid).get();
}

}  // namespace culprit
