// The kernel's tables of sockets, /proc/PID/net/* (net/ipv4/tcp_ipv4.c tcp4_seq_show and its kin).
#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "format/fields.h"
#include "format/procfs.h"

namespace culprit {

namespace {

constexpr std::string_view tcp_states[] = {"",          "ESTABLISHED", "SYN_SENT",    "SYN_RECV",   "FIN_WAIT1",
                                           "FIN_WAIT2", "TIME_WAIT",   "CLOSE",       "CLOSE_WAIT", "LAST_ACK",
                                           "LISTEN",    "CLOSING",     "NEW_SYN_RECV"};
constexpr std::string_view socket_types[] = {"", "stream", "datagram", "raw", "rdm", "seqpacket", "dccp"};

// NETLINK_… by number (linux/netlink.h).
constexpr std::string_view netlink_protocols[] = {
    "route",   "",      "usersock",      "firewall",  "sock_diag", "nflog",  "xfrm",    "selinux",
    "iscsi",   "audit", "fib_lookup",    "connector", "netfilter", "ip6_fw", "dnrtmsg", "kobject_uevent",
    "generic", "",      "scsitransport", "ecryptfs",  "rdma",      "crypto", "smc"};

template <size_t size>
std::string name_or_number(const std::string_view (&names)[size], uint64_t number) {
  return number < size && !names[number].empty() ? std::string(names[number]) : fmt::to_string(number);
}

// "0100007F:0050": 32-bit words of the address in the machine's byte order, then the port.
std::string address_of(std::string_view text, bool is_any_star) {
  std::string_view words = take_until(text, ':');
  std::array<uint32_t, 4> address{};
  size_t count = std::min(words.size() / 8, address.size());
  for (size_t i = 0; i < count; ++i) read_number(words.substr(i * 8, 8), address[i], 16);
  char shown[INET6_ADDRSTRLEN] = "?";
  if (count == 4) inet_ntop(AF_INET6, address.data(), shown, sizeof shown);
  if (count == 1) inet_ntop(AF_INET, address.data(), shown, sizeof shown);
  uint16_t port = 0;
  read_number(text, port, 16);
  std::string port_text = port == 0 && is_any_star ? "*" : fmt::to_string(port);
  return count == 4 ? fmt::format("[{}]:{}", shown, port_text) : fmt::format("{}:{}", shown, port_text);
}

struct Row {
  uint64_t inode = 0;
  std::string name;
};

// "sl local remote st tx:rx tr:when retransmits uid timeout inode …"
Row internet_row(std::string_view table, std::string_view line) {
  take_word(line);
  std::string_view local = take_word(line), remote = take_word(line), state = take_word(line);
  for (int i = 0; i < 5; ++i) take_word(line);
  Row row;
  read_number(take_word(line), row.inode);
  uint8_t state_number = 0;
  read_number(state, state_number, 16);
  row.name = fmt::format("{} {}", table, address_of(local, false));
  // Listening and unconnected ones have no other side.
  if (!remote.ends_with(":0000")) row.name += " -> " + address_of(remote, true);
  if (table.starts_with("tcp")) row.name += " " + name_or_number(tcp_states, state_number);
  return row;
}

// "Num RefCount Protocol Flags Type St Inode Path"
Row unix_row(std::string_view line) {
  constexpr uint32_t flag_listening = 0x10000;  // __SO_ACCEPTCON
  for (int i = 0; i < 3; ++i) take_word(line);
  uint32_t flags = 0, type = 0;
  read_number(take_word(line), flags, 16);
  read_number(take_word(line), type, 16);
  take_word(line);
  Row row;
  read_number(take_word(line), row.inode);
  std::string_view path = line.starts_with(' ') ? line.substr(1) : line;
  row.name = "unix " + name_or_number(socket_types, type);
  if (!path.empty()) row.name += fmt::format(" {}", path);
  if ((flags & flag_listening) != 0) row.name += " LISTEN";
  return row;
}

// "sk Eth Pid Groups Rmem Wmem Dump Locks Drops Inode"
Row netlink_row(std::string_view line) {
  take_word(line);
  uint32_t protocol = 0;
  read_number(take_word(line), protocol);
  for (int i = 0; i < 7; ++i) take_word(line);
  Row row{.name = "netlink " + name_or_number(netlink_protocols, protocol)};
  read_number(take_word(line), row.inode);
  return row;
}

// "sk RefCnt Type Proto Iface R Rmem User Inode"
Row packet_row(std::string_view line) {
  take_word(line);
  take_word(line);
  uint32_t type = 0, protocol = 0;
  read_number(take_word(line), type);
  read_number(take_word(line), protocol, 16);
  for (int i = 0; i < 4; ++i) take_word(line);
  Row row{.name = fmt::format("packet {} 0x{:04x}", name_or_number(socket_types, type), protocol)};
  read_number(take_word(line), row.inode);
  return row;
}

Row parse_row(std::string_view table, std::string_view line) {
  if (table == "unix") return unix_row(line);
  if (table == "netlink") return netlink_row(line);
  if (table == "packet") return packet_row(line);
  return internet_row(table, line);
}

}  // namespace

void add_socket_names(std::string_view table, std::string_view text, SocketNames& names) {
  if (std::ranges::find(socket_tables, table) == std::end(socket_tables)) return;
  take_line(text);  // the heading
  while (!text.empty()) {
    Row row = parse_row(table, take_line(text));
    if (row.inode != 0) names.try_emplace(row.inode, std::move(row.name));
  }
}

}  // namespace culprit
