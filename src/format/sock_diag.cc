#include "format/sock_diag.h"

#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <sys/socket.h>

#include <algorithm>

namespace culprit {

namespace {

// Both netlink messages and their attributes begin at multiples of 4.
constexpr uint64_t padding_after(uint64_t length) { return (4 - length % 4) % 4; }

void skip_padding(ByteReader& reader, uint64_t length) {
  reader.skip(std::min<uint64_t>(padding_after(length), reader.remaining()));
}

UnixSocket unix_socket(Bytes payload) {
  ByteReader reader(payload);
  const auto head = reader.take<unix_diag_msg>();
  UnixSocket socket;
  if (!reader) return socket;
  socket.inode = head.udiag_ino;
  while (reader.remaining() >= sizeof(nlattr)) {
    const auto attribute = reader.take<nlattr>();
    if (attribute.nla_len < sizeof attribute) break;
    ByteReader value(reader.take_bytes(attribute.nla_len - sizeof attribute));
    skip_padding(reader, attribute.nla_len);
    if (attribute.nla_type == UNIX_DIAG_PEER) socket.peer = value.take<uint32_t>();
    if (attribute.nla_type == UNIX_DIAG_RQLEN) {
      socket.receive_queue = value.take<uint32_t>();
      socket.send_queue = value.take<uint32_t>();
    }
  }
  return socket;
}

}  // namespace

DiagReply add_unix_sockets(Bytes datagram, std::vector<UnixSocket>& into) {
  ByteReader reader(datagram);
  while (reader.remaining() >= sizeof(nlmsghdr)) {
    const auto header = reader.take<nlmsghdr>();
    if (header.nlmsg_len < sizeof header) return {true, 0};
    const Bytes payload = reader.take_bytes(header.nlmsg_len - sizeof header);
    if (!reader) return {true, 0};
    skip_padding(reader, header.nlmsg_len);
    if (header.nlmsg_type == NLMSG_DONE) return {true, 0};
    if (header.nlmsg_type == NLMSG_ERROR) return {true, -ByteReader(payload).take<int32_t>()};
    if (header.nlmsg_type != SOCK_DIAG_BY_FAMILY) continue;
    if (const UnixSocket socket = unix_socket(payload); socket.inode != 0) into.push_back(socket);
  }
  return {};
}

std::string unix_sockets_request() {
  struct {
    nlmsghdr header;
    unix_diag_req request;
  } message{};
  message.header.nlmsg_len = sizeof message;
  message.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  message.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  message.request.sdiag_family = AF_UNIX;
  message.request.udiag_states = ~0u;
  message.request.udiag_show = UDIAG_SHOW_PEER | UDIAG_SHOW_RQLEN;
  return {reinterpret_cast<const char*>(&message), sizeof message};
}

}  // namespace culprit
