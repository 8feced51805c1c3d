// The text files of /proc/PID (proc(5), and the kernel's fs/proc). Text in, values out: no I/O.
// A line that makes no sense is skipped; what a line does not say keeps its default. Names are foreign: show them
// through printable().
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace culprit {

// A line of /proc/PID/maps.
struct MapsEntry {
  uint64_t start = 0, end = 0;
  uint64_t offset = 0;
  uint64_t inode = 0;
  uint32_t device_major = 0, device_minor = 0;
  bool is_readable = false, is_writable = false, is_executable = false, is_shared = false;
  bool is_deleted = false;  // the kernel appended " (deleted)", which is not in `path`
  std::string path;         // "\012" is a newline again; "[stack]", "[vdso]" …; empty: anonymous
};
std::vector<MapsEntry> parse_maps(std::string_view text);  // in file order: ascending

struct ProcessStatus {
  std::string name;  // at most 15 bytes
  uint32_t pid = 0;
  uint32_t process = 0;  // Tgid
  uint32_t parent = 0;
  uint32_t tracer = 0;
  uint32_t real_uid = 0, effective_uid = 0;
  uint32_t threads = 0;
  uint32_t handle_slots = 0;      // FDSize: handles have lower numbers, unless the table has grown since
  uint32_t seccomp_mode = 0;      // 0 none, 1 strict, 2 filter
  uint64_t context_switches = 0;  // of the thread, of both kinds: the same again means that it has not run since
  std::vector<uint32_t> namespaced_pids;  // NSpid: outermost namespace first; empty before Linux 4.1
};
std::optional<ProcessStatus> parse_status(std::string_view text);  // nothing: no Pid line

struct ProcessStat {
  uint32_t pid = 0;
  std::string name;
  char state = '?';
  uint32_t parent = 0;
  uint64_t flags = 0;  // PF_… of include/linux/sched.h
  uint64_t start_ticks =
      0;               // after boot, in 1/sysconf(_SC_CLK_TCK) seconds: with the pid it names one life of a process
  int processor = -1;  // it runs on, or ran on last; -1: the text ends before
  bool is_kernel_thread() const { return (flags & 0x00200000) != 0; }
};
std::optional<ProcessStat> parse_stat(std::string_view text);

// /proc/PID/task/TID/syscall: where a thread is that does not run.
struct ThreadCall {
  int64_t number = -1;  // of the system call; -1: it does not run, and is in none (a page fault, a stop)
  std::array<uint64_t, 6> arguments{};
  uint64_t sp = 0, pc = 0;

  bool operator==(const ThreadCall&) const = default;
};
std::optional<ThreadCall> parse_thread_call(std::string_view text);  // nothing: it runs

// /proc/PID/task/TID/sched, in kernels with CONFIG_SCHED_DEBUG: when it ran last, in ns, by the clock of the processor
// that it ran on. These clocks differ among each other and from all others: they leave out what interrupts and the
// hypervisor took. Nothing: the text does not say.
std::optional<uint64_t> parse_last_run(std::string_view text);

inline constexpr uint64_t unlimited = UINT64_MAX;
struct OpenFilesLimit {
  uint64_t soft = 0, hard = 0;
};
std::optional<OpenFilesLimit> parse_open_files_limit(std::string_view limits_text);

// What the link /proc/PID/fd/N says.
struct FdTarget {
  std::string_view type;  // one of handle_type:: in model/handle_event.h
  std::string name;  // a path, "[eventfd]" without its brackets, the namespace's kind …; empty for sockets and pipes
  uint64_t inode = 0;  // of sockets, pipes and namespaces; else 0
  bool is_deleted = false;
};
// `mode` is st_mode of the file behind the link if known, 0 if not: a path alone does not tell file, directory, fifo
// and device apart.
FdTarget parse_fd_link(std::string_view link, uint32_t mode = 0);

// A socket as the kernel's tables /proc/PID/net/* have it.
struct SocketRow {
  std::string_view table;     // one of socket_tables
  std::string kind;           // unix, packet: "stream", "datagram" …; netlink: "route" …
  std::string local, remote;  // "127.0.0.1:80", "[::1]:80"; unix: its path or "@abstract name"; packet: the protocol
  std::string state;          // "LISTEN", "ESTABLISHED" …; empty: has none
  uint32_t receive_queue = 0, send_queue = 0;  // tcp, udp, raw: bytes nobody has read, and bytes not yet acknowledged
};
// "tcp 127.0.0.1:80 -> 10.0.0.1:4242 ESTABLISHED", "unix stream /run/x.sock LISTEN", "netlink route".
std::string name_of(const SocketRow& row);

using SocketRows = std::unordered_map<uint64_t, SocketRow>;  // by inode

// The files there that have a reader here, in the order worth asking.
inline constexpr std::string_view socket_tables[] = {"unix",    "tcp",    "tcp6", "udp", "udp6",
                                                     "netlink", "packet", "raw",  "raw6"};
void add_socket_rows(std::string_view table, std::string_view text, SocketRows& rows);

}  // namespace culprit
