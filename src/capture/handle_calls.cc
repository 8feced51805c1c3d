#include "capture/handle_calls.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <algorithm>

#include "model/handle_event.h"

namespace culprit {
namespace {
namespace type = handle_type;

struct CallRow {
  uint16_t number;  // x86-64
  std::string_view name;
  std::string_view type;
  std::string_view default_name;
};

// Ascending by number. Calls whose handle can be of any type have none.
constexpr CallRow calls[] = {
    {0, "read", type::file, ""},  // only fanotify's reads make handles
    {2, "open", type::file, ""},
    {3, "close", "", ""},
    {16, "ioctl", "", ""},
    {22, "pipe", type::pipe, "pipe"},
    {32, "dup", "", ""},
    {33, "dup2", "", ""},
    {41, "socket", type::socket, "socket"},
    {43, "accept", type::socket, ""},
    {47, "recvmsg", "", ""},
    {53, "socketpair", type::socket, "socket pair"},
    {55, "getsockopt", type::pidfd, "pidfd"},
    {56, "clone", type::pidfd, "pidfd"},
    {57, "fork", "", ""},
    {58, "vfork", "", ""},
    {59, "execve", "", ""},
    {60, "exit", "", ""},
    {72, "fcntl", "", ""},
    {85, "creat", type::file, ""},
    {157, "prctl", "", ""},
    {213, "epoll_create", type::epoll, "epoll"},
    {231, "exit_group", "", ""},
    {240, "mq_open", type::message_queue, ""},
    {253, "inotify_init", type::inotify, "inotify"},
    {257, "openat", type::file, ""},
    {272, "unshare", "", ""},
    {282, "signalfd", type::signalfd, "signalfd"},
    {283, "timerfd_create", type::timerfd, "timerfd"},
    {284, "eventfd", type::eventfd, "eventfd"},
    {288, "accept4", type::socket, ""},
    {289, "signalfd4", type::signalfd, "signalfd"},
    {290, "eventfd2", type::eventfd, "eventfd"},
    {291, "epoll_create1", type::epoll, "epoll"},
    {292, "dup3", "", ""},
    {293, "pipe2", type::pipe, "pipe"},
    {294, "inotify_init1", type::inotify, "inotify"},
    {298, "perf_event_open", type::perf_event, "perf event"},
    {299, "recvmmsg", "", ""},
    {300, "fanotify_init", type::fanotify, "fanotify"},
    {304, "open_by_handle_at", type::file, ""},
    {317, "seccomp", type::seccomp, "seccomp listener"},
    {319, "memfd_create", type::memfd, ""},
    {321, "bpf", type::bpf, "bpf"},
    {322, "execveat", "", ""},
    {323, "userfaultfd", type::userfaultfd, "userfaultfd"},
    {425, "io_uring_setup", type::io_uring, "io_uring"},
    {426, "io_uring_enter", "", ""},
    {428, "open_tree", type::mount, "mount"},
    {430, "fsopen", type::mount, "filesystem context"},
    {432, "fsmount", type::mount, "mount"},
    {433, "fspick", type::mount, "filesystem context"},
    {434, "pidfd_open", type::pidfd, "pidfd"},
    {435, "clone3", type::pidfd, "pidfd"},
    {436, "close_range", "", ""},
    {437, "openat2", type::file, ""},
    {438, "pidfd_getfd", "", ""},
    {444, "landlock_create_ruleset", type::landlock, "landlock ruleset"},
    {447, "memfd_secret", type::memfd, "secret memory"},
    {467, "open_tree_attr", type::mount, "mount"},
};

constexpr int16_t ioctl_makes_none = -2;

struct IoctlRow {
  uint32_t request;
  std::string_view name;
  std::string_view type;
  std::string_view default_name;
  int16_t offset = ioctl_result;
};

// Request numbers of x86-64, from the kernel's include/uapi.
constexpr IoctlRow ioctls[] = {
    {0x5441, "TIOCGPTPEER", type::terminal, "terminal"},
    {0x894c, "SIOCGSKNS", type::name_space, "net namespace"},
    {0xb701, "NS_GET_USERNS", type::name_space, "user namespace"},
    {0xb702, "NS_GET_PARENT", type::name_space, "namespace"},
    {0xaa00, "USERFAULTFD_IOC_NEW", type::userfaultfd, "userfaultfd"},
    {0xae01, "KVM_CREATE_VM", type::kvm, "kvm virtual machine"},
    {0xae41, "KVM_CREATE_VCPU", type::kvm, "kvm processor"},
    {0xaece, "KVM_GET_STATS_FD", type::kvm, "kvm statistics"},
    {0xc00caee0, "KVM_CREATE_DEVICE", type::kvm, "kvm device", 4},
    {0xc00c642d, "DRM_IOCTL_PRIME_HANDLE_TO_FD", type::dma_buf, "dma-buf", 8},
    {0xc01064c1, "DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD", type::other, "sync object", 8},
    {0xc0184800, "DMA_HEAP_IOCTL_ALLOC", type::dma_buf, "dma-buf", 8},
    {0x40187542, "UDMABUF_CREATE", type::dma_buf, "dma-buf"},
    {0x40087543, "UDMABUF_CREATE_LIST", type::dma_buf, "dma-buf"},
    {0xc0303e03, "SYNC_IOC_MERGE", type::other, "sync file", 36},
    {0x3b6a, "VFIO_GROUP_GET_DEVICE_FD", type::device, "vfio device"},
    {0x4c82, "LOOP_CTL_GET_FREE", type::device, "", ioctl_makes_none},
    {0x80047c05, "MEDIA_IOC_REQUEST_ALLOC", type::device, "media request", 0},
    {0xc010a401, "TEE_IOC_SHM_ALLOC", type::other, "tee shared memory"},
    {0xff01, "PIDFD_GET_CGROUP_NAMESPACE", type::name_space, "cgroup namespace"},
    {0xff02, "PIDFD_GET_IPC_NAMESPACE", type::name_space, "ipc namespace"},
    {0xff03, "PIDFD_GET_MNT_NAMESPACE", type::name_space, "mnt namespace"},
    {0xff04, "PIDFD_GET_NET_NAMESPACE", type::name_space, "net namespace"},
    {0xff05, "PIDFD_GET_PID_NAMESPACE", type::name_space, "pid namespace"},
    {0xff06, "PIDFD_GET_PID_FOR_CHILDREN_NAMESPACE", type::name_space, "pid namespace"},
    {0xff07, "PIDFD_GET_TIME_NAMESPACE", type::name_space, "time namespace"},
    {0xff08, "PIDFD_GET_TIME_FOR_CHILDREN_NAMESPACE", type::name_space, "time namespace"},
    {0xff09, "PIDFD_GET_USER_NAMESPACE", type::name_space, "user namespace"},
    {0xff0a, "PIDFD_GET_UTS_NAMESPACE", type::name_space, "uts namespace"},
};

// Everything above that makes or ends a handle or a process, and the calls after which addresses may mean other code.
constexpr uint16_t patched[] = {0,   2,   3,   9,   11,  12,  13,  16,  22,  25,  32,  33,  41,  43,  47,  53,  55,
                                56,  57,  58,  59,  60,  72,  85,  131, 157, 160, 213, 231, 240, 253, 257, 272, 273,
                                282, 283, 284, 288, 289, 290, 291, 292, 293, 294, 298, 299, 300, 302, 304, 317, 319,
                                321, 322, 323, 425, 426, 428, 430, 432, 433, 434, 435, 436, 437, 438, 444, 447, 467};

struct NumberName {
  uint32_t number;
  std::string_view name;
};
constexpr NumberName families[] = {
    {AF_UNIX, "unix"},           {AF_NETLINK, "netlink"}, {AF_PACKET, "packet"}, {AF_CAN, "can"},  {AF_ALG, "alg"},
    {AF_BLUETOOTH, "bluetooth"}, {AF_VSOCK, "vsock"},     {44, "xdp"},           {AF_TIPC, "tipc"}};
constexpr NumberName socket_types[] = {{SOCK_STREAM, "stream"},
                                       {SOCK_DGRAM, "dgram"},
                                       {SOCK_RAW, "raw"},
                                       {SOCK_RDM, "rdm"},
                                       {SOCK_SEQPACKET, "seqpacket"}};

template <size_t N>
std::string name_in(const NumberName (&table)[N], uint32_t number, std::string_view what) {
  for (const NumberName& row : table) {
    if (row.number == number) return std::string(row.name);
  }
  return fmt::format("{} {}", what, number);
}

std::string socket_name(uint64_t extra) {
  auto domain = static_cast<uint32_t>(extra & 0xffff);
  auto kind = static_cast<uint32_t>(extra >> 16 & 0xf);  // without SOCK_CLOEXEC and SOCK_NONBLOCK
  std::string type = name_in(socket_types, kind, "type");
  if (domain != AF_INET && domain != AF_INET6) return "socket " + name_in(families, domain, "family") + " " + type;
  std::string_view suffix = domain == AF_INET6 ? "6" : "";
  if (kind == SOCK_STREAM) return fmt::format("socket tcp{}", suffix);
  if (kind == SOCK_DGRAM) return fmt::format("socket udp{}", suffix);
  return fmt::format("socket ip{} {}", suffix, type);
}

CallDescription describe_ioctl(uint64_t request) {
  for (const IoctlRow& row : ioctls) {
    if (row.request == request) return {fmt::format("ioctl({})", row.name), row.type, std::string(row.default_name)};
  }
  return {request == 0 ? "ioctl" : fmt::format("ioctl({:#x})", request), "", ""};
}

bool opens_by_path(uint16_t number) { return number == 2 || number == 257; }

}  // namespace

CallDescription describe_call(uint16_t number, uint64_t extra) {
  if (number == 16) return describe_ioctl(extra);
  auto row = std::lower_bound(std::begin(calls), std::end(calls), number,
                              [](const CallRow& call, uint16_t wanted) { return call.number < wanted; });
  if (row == std::end(calls) || row->number != number) return {fmt::format("system call {}", number), "", ""};
  CallDescription description{std::string(row->name), row->type, std::string(row->default_name)};
  if ((number == 41 || number == 53) && (extra & 0xffff) != 0) description.name = socket_name(extra);
  // An agent may hand on the flags of open: they alone tell a directory from a file.
  if (opens_by_path(number) && (extra & O_DIRECTORY) && (extra & O_TMPFILE) != O_TMPFILE) {
    description.type = type::directory;
  }
  return description;
}

std::optional<int> handle_in_ioctl(uint32_t request) {
  for (const IoctlRow& row : ioctls) {
    if (row.request == request && row.offset != ioctl_makes_none) return row.offset;
  }
  return {};
}

std::string_view type_by_path(std::string_view path, std::string_view otherwise) {
  if (otherwise != type::file || !path.starts_with("/dev/")) return otherwise;
  for (std::string_view terminal : {"/dev/ptmx", "/dev/pts/", "/dev/tty", "/dev/console"}) {
    if (path.starts_with(terminal)) return type::terminal;
  }
  if (path.starts_with("/dev/shm/") || path.starts_with("/dev/mqueue/") || path.starts_with("/dev/fd/"))
    return otherwise;
  if (path == "/dev/kvm") return type::kvm;
  return type::device;
}

std::span<const uint16_t> patched_calls() { return patched; }

bool concerns_handles(uint16_t patched_call) {
  return patched_call != SYS_rt_sigaction && patched_call != SYS_sigaltstack && patched_call != SYS_set_robust_list;
}

}  // namespace culprit
