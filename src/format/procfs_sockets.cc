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

constexpr std::string_view unix_states[] = {"", "UNCONNECTED", "CONNECTING", "CONNECTED", "DISCONNECTING"};

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

struct NumberedRow {
  uint64_t inode = 0;
  SocketRow row;
};

// "sl local remote st tx:rx tr:when retransmits uid timeout inode …"
NumberedRow internet_row(std::string_view table, std::string_view line) {
  take_word(line);
  std::string_view local = take_word(line), remote = take_word(line), state = take_word(line), queues = take_word(line);
  for (int i = 0; i < 4; ++i) take_word(line);
  NumberedRow found;
  read_number(take_word(line), found.inode);
  if (found.inode == 0) return found;
  uint8_t state_number = 0;
  read_number(state, state_number, 16);
  found.row.local = address_of(local, false);
  // Listening and unconnected ones have no other side.
  if (!remote.ends_with(":0000")) found.row.remote = address_of(remote, true);
  if (table.starts_with("tcp")) found.row.state = name_or_number(tcp_states, state_number);
  read_number(take_until(queues, ':'), found.row.send_queue, 16);
  read_number(queues, found.row.receive_queue, 16);
  return found;
}

// "Num RefCount Protocol Flags Type St Inode Path"
NumberedRow unix_row(std::string_view line) {
  constexpr uint32_t flag_listening = 0x10000;  // __SO_ACCEPTCON
  for (int i = 0; i < 3; ++i) take_word(line);
  uint32_t flags = 0, type = 0, state = 0;
  read_number(take_word(line), flags, 16);
  read_number(take_word(line), type, 16);
  read_number(take_word(line), state, 16);
  NumberedRow found;
  read_number(take_word(line), found.inode);
  found.row.local = line.starts_with(' ') ? line.substr(1) : line;
  found.row.kind = name_or_number(socket_types, type);
  found.row.state = (flags & flag_listening) != 0 ? "LISTEN" : name_or_number(unix_states, state);
  return found;
}

// "sk Eth Pid Groups Rmem Wmem Dump Locks Drops Inode"
NumberedRow netlink_row(std::string_view line) {
  take_word(line);
  uint32_t protocol = 0;
  read_number(take_word(line), protocol);
  for (int i = 0; i < 7; ++i) take_word(line);
  NumberedRow found;
  found.row.kind = name_or_number(netlink_protocols, protocol);
  read_number(take_word(line), found.inode);
  return found;
}

// "sk RefCnt Type Proto Iface R Rmem User Inode"
NumberedRow packet_row(std::string_view line) {
  take_word(line);
  take_word(line);
  uint32_t type = 0, protocol = 0;
  read_number(take_word(line), type);
  read_number(take_word(line), protocol, 16);
  for (int i = 0; i < 4; ++i) take_word(line);
  NumberedRow found;
  found.row.kind = name_or_number(socket_types, type);
  found.row.local = fmt::format("0x{:04x}", protocol);
  read_number(take_word(line), found.inode);
  return found;
}

NumberedRow parse_row(std::string_view table, std::string_view line) {
  if (table == "unix") return unix_row(line);
  if (table == "netlink") return netlink_row(line);
  if (table == "packet") return packet_row(line);
  return internet_row(table, line);
}

}  // namespace

std::string name_of(const SocketRow& row) {
  std::string name(row.table);
  if (!row.kind.empty()) name += " " + row.kind;
  if (!row.local.empty()) name += " " + row.local;
  if (!row.remote.empty()) name += " -> " + row.remote;
  // Whether a unix socket is connected, its peer tells better.
  if (!row.state.empty() && (row.table != "unix" || row.state == "LISTEN")) name += " " + row.state;
  return name;
}

void add_socket_rows(std::string_view table, std::string_view text, SocketRows& rows) {
  const auto known = std::ranges::find(socket_tables, table);
  if (known == std::end(socket_tables)) return;
  take_line(text);  // the heading
  while (!text.empty()) {
    NumberedRow found = parse_row(table, take_line(text));
    if (found.inode == 0) continue;
    found.row.table = *known;
    rows.try_emplace(found.inode, std::move(found.row));
  }
}

}  // namespace culprit
