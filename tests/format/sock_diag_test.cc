#include "format/sock_diag.h"

#include <gtest/gtest.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>

#include <cerrno>

#include "support/byte_writer.h"

namespace culprit {
namespace {

using testing::ByteWriter;

// A message as the kernel makes it: header, unix_diag_msg, attributes.
std::string socket_message(uint32_t inode, const std::string& attributes) {
  ByteWriter message;
  message.u32(16 + 16 + attributes.size()).u16(SOCK_DIAG_BY_FAMILY).u16(NLM_F_MULTI).u32(1).u32(0);
  message.u8(1).u8(1).u8(1).u8(0).u32(inode).u64(0).bytes(attributes);
  return message.align(4).text();
}

std::string attribute(uint16_t type, const std::string& value) {
  return ByteWriter().u16(4 + value.size()).u16(type).bytes(value).align(4).text();
}

std::string number(uint32_t value) { return ByteWriter().u32(value).text(); }

std::string end_message(uint16_t type, int32_t error) {
  return ByteWriter().u32(20).u16(type).u16(0).u32(1).u32(0).u32(static_cast<uint32_t>(error)).text();
}

TEST(SockDiag, ReadsWhoIsConnectedToWhom) {
  std::vector<UnixSocket> sockets;
  const std::string name = attribute(0, "/run/x.sock");  // 11 bytes: padded
  DiagReply reply = add_unix_sockets(
      as_bytes(socket_message(7, name + attribute(2, number(8)) + attribute(4, number(100) + number(200))) +
               socket_message(9, "")),
      sockets);
  EXPECT_FALSE(reply.is_last);
  ASSERT_EQ(sockets.size(), 2u);
  EXPECT_EQ(sockets[0].inode, 7u);
  EXPECT_EQ(sockets[0].peer, 8u);
  EXPECT_EQ(sockets[0].receive_queue, 100u);
  EXPECT_EQ(sockets[0].send_queue, 200u);
  EXPECT_EQ(sockets[1].peer, 0u);
  EXPECT_TRUE(add_unix_sockets(as_bytes(end_message(NLMSG_DONE, 0)), sockets).is_last);
}

TEST(SockDiag, HandsOnTheKernelsError) {
  std::vector<UnixSocket> sockets;
  DiagReply reply = add_unix_sockets(as_bytes(end_message(NLMSG_ERROR, -ENOENT)), sockets);
  EXPECT_TRUE(reply.is_last);
  EXPECT_EQ(reply.error, ENOENT);
}

TEST(SockDiag, EndsAtDamage) {
  const std::string whole = socket_message(7, attribute(2, number(8)));
  for (size_t size = 0; size < whole.size(); size++) {
    std::vector<UnixSocket> sockets;
    add_unix_sockets(as_bytes(whole.substr(0, size)), sockets);
    EXPECT_TRUE(sockets.empty()) << size;
  }
  std::vector<UnixSocket> sockets;
  EXPECT_TRUE(add_unix_sockets(as_bytes(ByteWriter().u32(3).u32(0).u64(0).text()), sockets).is_last);
  // An attribute that claims to be longer than its message, and one shorter than its own head.
  add_unix_sockets(as_bytes(socket_message(7, ByteWriter().u16(400).u16(2).u32(8).text()) +
                            socket_message(9, ByteWriter().u16(1).u16(2).u32(8).text())),
                   sockets);
  ASSERT_EQ(sockets.size(), 2u);
  EXPECT_EQ(sockets[0].peer, 0u);
  EXPECT_EQ(sockets[1].peer, 0u);
}

}  // namespace
}  // namespace culprit
