#include <linux/netlink.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "ways.h"

namespace {

// An abstract unix address nobody else has; the kernel forgets it with the socket.
socklen_t own_address(sockaddr_un* address, const char* way) {
  *address = {};
  address->sun_family = AF_UNIX;
  int length = snprintf(address->sun_path + 1, sizeof address->sun_path - 1, "every_way %d %s", getpid(), way);
  return static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + static_cast<size_t>(length));
}

// A listener with one connection waiting in it; both stay open. Gives the listener, or -1.
__attribute__((noinline)) int listener_with_client(const char* way, int* client = nullptr) {
  sockaddr_un address;
  socklen_t length = own_address(&address, way);
  int listener = made(socket(AF_UNIX, SOCK_STREAM, 0));
  int peer = made(socket(AF_UNIX, SOCK_STREAM, 0));
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (bind(listener, generic, length) != 0 || listen(listener, 1) != 0 || connect(peer, generic, length) != 0)
    return -1;
  if (client != nullptr) *client = peer;
  return listener;
}

constexpr int passed_count = 3;

bool send_handles(int socket, const int* numbers) {
  char byte = 'x';
  iovec data{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(passed_count * sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(passed_count * sizeof(int));
  memcpy(CMSG_DATA(header), numbers, passed_count * sizeof(int));
  return sendmsg(socket, &message, 0) == 1;
}

void note_received(msghdr* message) {
  for (cmsghdr* header = CMSG_FIRSTHDR(message); header != nullptr; header = CMSG_NXTHDR(message, header)) {
    int numbers[passed_count];
    memcpy(numbers, CMSG_DATA(header), sizeof numbers);
    for (int number : numbers) made(number);
  }
}

// A pair of sockets with handles under way to ends[1].
bool handles_under_way(int* ends) {
  if (socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) != 0) return false;
  made(ends[0]);
  made(ends[1]);
  int passed[passed_count] = {0, ends[0], 2};
  return send_handles(ends[0], passed);
}

}  // namespace

WAY(socket_tcp) { made(socket(AF_INET, SOCK_STREAM, 0)); }
WAY(socket_tcp_listening) {
  int listener = made(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) listen(listener, 1);
}
WAY(socket_udp) { made(socket(AF_INET, SOCK_DGRAM, 0)); }
WAY(socket_udp6) { made(socket(AF_INET6, SOCK_DGRAM, 0)); }
WAY(socket_unix) { made(socket(AF_UNIX, SOCK_STREAM, 0)); }
WAY(socket_netlink) { made(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE)); }
WAY(accept) { made(accept(listener_with_client("accept"), nullptr, nullptr)); }
WAY(accept4) { made(accept4(listener_with_client("accept4"), nullptr, nullptr, SOCK_CLOEXEC)); }
WAY(recvmsg) {
  int ends[2];
  if (!handles_under_way(ends)) return;
  char byte;
  iovec data{&byte, 1};
  alignas(cmsghdr) char control[256];
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  if (recvmsg(ends[1], &message, 0) == 1) note_received(&message);
}
WAY(recvmmsg) {
  int ends[2];
  if (!handles_under_way(ends)) return;
  char byte;
  iovec data{&byte, 1};
  alignas(cmsghdr) char control[256];
  mmsghdr messages[1] = {};
  messages[0].msg_hdr.msg_iov = &data;
  messages[0].msg_hdr.msg_iovlen = 1;
  messages[0].msg_hdr.msg_control = control;
  messages[0].msg_hdr.msg_controllen = sizeof control;
  if (recvmmsg(ends[1], messages, 1, MSG_CMSG_CLOEXEC, nullptr) == 1) note_received(&messages[0].msg_hdr);
}
WAY(peer_pidfd) {
  int client = -1;
  listener_with_client("peer_pidfd", &client);
  int number = -1;
  socklen_t length = sizeof number;
  constexpr int so_peerpidfd = 77;
  made(getsockopt(client, SOL_SOCKET, so_peerpidfd, &number, &length) == 0 ? number : -1);
}
WAY(network_namespace_of_socket) {
  int socket_number = made(socket(AF_INET, SOCK_DGRAM, 0));
  made(ioctl(socket_number, SIOCGSKNS));
}

std::span<const Way> socket_ways() {
  static const Way ways[] = {
      ROW(socket_tcp),  ROW(socket_tcp_listening),
      ROW(socket_udp),  ROW(socket_udp6),
      ROW(socket_unix), ROW(socket_netlink),
      ROW(accept),      ROW(accept4),
      ROW(recvmsg),     ROW(recvmmsg),
      ROW(peer_pidfd),  ROW(network_namespace_of_socket),
  };
  return ways;
}
