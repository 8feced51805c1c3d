#include "capture/traced_calls.h"

#include <asm/unistd.h>
#include <linux/close_range.h>
#include <linux/fcntl.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sys/mman.h>

#include <algorithm>

#include "capture/handle_calls.h"

namespace culprit {
namespace {

using Made = std::vector<MadeHandle>;

// Newer than the headers of the systems we build on.
constexpr uint16_t nr_open_tree_attr = 467;

struct Row {
  uint16_t number;
  CallKind kind;
  int8_t path = -1;
};

constexpr Row rows[] = {
    {__NR_open, CallKind::made, 0},
    {__NR_creat, CallKind::made, 0},
    {__NR_openat, CallKind::made, 1},
    {__NR_openat2, CallKind::made, 1},
    {__NR_open_by_handle_at, CallKind::made},
    {__NR_open_tree, CallKind::made, 1},
    {nr_open_tree_attr, CallKind::made, 1},
    {__NR_fsopen, CallKind::made, 0},
    {__NR_fspick, CallKind::made, 1},
    {__NR_fsmount, CallKind::made},
    {__NR_mq_open, CallKind::made, 0},
    {__NR_memfd_create, CallKind::made, 0},
    {__NR_memfd_secret, CallKind::made},
    {__NR_dup, CallKind::duplicated},
    {__NR_dup2, CallKind::duplicated},
    {__NR_dup3, CallKind::duplicated},
    {__NR_fcntl, CallKind::fcntl},
    {__NR_pipe, CallKind::made_pair},
    {__NR_pipe2, CallKind::made_pair},
    {__NR_socketpair, CallKind::made_pair},
    {__NR_socket, CallKind::made_socket},
    {__NR_accept, CallKind::made},
    {__NR_accept4, CallKind::made},
    {__NR_recvmsg, CallKind::message},
    {__NR_recvmmsg, CallKind::messages},
    {__NR_pidfd_getfd, CallKind::received},
    {__NR_getsockopt, CallKind::getsockopt},
    {__NR_epoll_create, CallKind::made},
    {__NR_epoll_create1, CallKind::made},
    {__NR_eventfd, CallKind::made},
    {__NR_eventfd2, CallKind::made},
    {__NR_timerfd_create, CallKind::made},
    {__NR_signalfd, CallKind::signalfd},
    {__NR_signalfd4, CallKind::signalfd},
    {__NR_inotify_init, CallKind::made},
    {__NR_inotify_init1, CallKind::made},
    {__NR_fanotify_init, CallKind::fanotify},
    {__NR_read, CallKind::read},
    {__NR_pidfd_open, CallKind::made},
    {__NR_perf_event_open, CallKind::made},
    {__NR_userfaultfd, CallKind::made},
    {__NR_io_uring_setup, CallKind::made},
    {__NR_io_uring_enter, CallKind::io_uring},
    {__NR_landlock_create_ruleset, CallKind::made},
    {__NR_bpf, CallKind::bpf},
    {__NR_ioctl, CallKind::ioctl},
    {__NR_seccomp, CallKind::seccomp},
    {__NR_close, CallKind::close},
    {__NR_close_range, CallKind::close_range},
    {__NR_unshare, CallKind::unshare},
    {__NR_fork, CallKind::fork},
    {__NR_vfork, CallKind::fork},
    {__NR_clone, CallKind::fork},
    {__NR_clone3, CallKind::fork},
    {__NR_execve, CallKind::exec},
    {__NR_execveat, CallKind::exec},
    {__NR_munmap, CallKind::unmap},
    {__NR_mremap, CallKind::unmap},
    {__NR_mmap, CallKind::map},
    {__NR_mprotect, CallKind::map},
    {__NR_pkey_mprotect, CallKind::map},
    {__NR_ptrace, CallKind::trace},
};

struct Index {
  TracedCall call[512];
};
constexpr Index make_index() {
  Index index{};
  for (const Row& row : rows) index.call[row.number] = {row.kind, row.path};
  return index;
}
constexpr Index by_number = make_index();

template <typename T>
std::optional<T> value_at(MemoryReader& memory, uint64_t address) {
  T value{};
  return memory.read(address, std::as_writable_bytes(std::span(&value, 1))) ? std::optional(value) : std::nullopt;
}

Made one_at(MemoryReader& memory, uint64_t address) {
  auto value = value_at<int32_t>(memory, address);
  return value ? Made{{*value}} : Made{};
}

Made pair_at(MemoryReader& memory, uint64_t address) {
  auto pair = value_at<std::array<int32_t, 2>>(memory, address);
  return pair ? Made{{(*pair)[0]}, {(*pair)[1]}} : Made{};
}

Made made_by_fcntl(const CallArguments& arguments, int32_t result) {
  auto command = static_cast<uint32_t>(arguments[1]);
  if (command != F_DUPFD && command != F_DUPFD_CLOEXEC) return {};
  return {{result, HandleAction::duplicate, static_cast<int32_t>(arguments[0])}};
}

// struct fanotify_event_metadata (linux/fanotify.h).
struct FanotifyEvent {
  uint32_t length;
  uint8_t version, reserved;
  uint16_t metadata_length;
  uint64_t mask;
  int32_t value, pid;
};

Made made_by_fanotify(const CallArguments& arguments, uint64_t size, MemoryReader& memory) {
  constexpr uint8_t known_version = 3;
  Made made;
  for (uint64_t offset = 0; offset + sizeof(FanotifyEvent) <= size;) {
    auto event = value_at<FanotifyEvent>(memory, arguments[1] + offset);
    if (!event || event->version != known_version) break;
    if (event->length < sizeof(FanotifyEvent) || event->length > size - offset) break;
    made.push_back({event->value});
    offset += event->length;
  }
  return made;
}

// linux/bpf.h enum bpf_cmd: MAP_CREATE, PROG_LOAD, OBJ_GET, PROG_GET_FD_BY_ID, MAP_GET_FD_BY_ID, RAW_TRACEPOINT_OPEN,
// BTF_LOAD, BTF_GET_FD_BY_ID, LINK_CREATE, LINK_GET_FD_BY_ID, ENABLE_STATS, ITER_CREATE, TOKEN_CREATE.
bool makes_bpf_handle(uint32_t command) {
  constexpr uint64_t makers = 1ull << 0 | 1ull << 5 | 1ull << 7 | 1ull << 13 | 1ull << 14 | 1ull << 17 | 1ull << 18 |
                              1ull << 19 | 1ull << 28 | 1ull << 30 | 1ull << 32 | 1ull << 33 | 1ull << 36;
  return command < 64 && (makers >> command & 1) != 0;
}

// The kernel's view of struct msghdr and what lies around it.
struct MessageHeader {
  uint64_t name;
  uint32_t name_length, padding;
  uint64_t vectors, vector_count;
  uint64_t control, control_length;
  uint32_t flags, padding2;
};
struct MultiMessage {
  MessageHeader header;
  uint32_t length, padding;
};
struct ControlHeader {
  uint64_t length;
  int32_t level, type;
};
constexpr uint64_t control_limit = 1 << 16, message_limit = 1024;

void add_received(const MessageHeader& message, MemoryReader& memory, Made& made) {
  constexpr int32_t sol_socket = 1, scm_rights = 1, scm_pidfd = 4;
  uint64_t size = std::min(message.control_length, control_limit);
  for (uint64_t offset = 0; offset + sizeof(ControlHeader) <= size;) {
    auto control = value_at<ControlHeader>(memory, message.control + offset);
    if (!control || control->length < sizeof(ControlHeader) || control->length > size - offset) return;
    uint64_t count = (control->length - sizeof(ControlHeader)) / sizeof(int32_t);
    bool has_handles = control->level == sol_socket && (control->type == scm_rights || control->type == scm_pidfd);
    std::vector<int32_t> values(has_handles ? count : 0);
    uint64_t at = message.control + offset + sizeof(ControlHeader);
    if (!values.empty() && !memory.read(at, std::as_writable_bytes(std::span(values)))) return;
    for (int32_t value : values) made.push_back({value, HandleAction::receive});
    offset += (control->length + 7) & ~uint64_t{7};
  }
}

Made received_in_messages(uint64_t address, uint64_t count, MemoryReader& memory) {
  Made made;
  for (uint64_t i = 0; i < std::min(count, message_limit); i++) {
    auto message = value_at<MultiMessage>(memory, address + i * sizeof(MultiMessage));
    if (!message) break;
    add_received(message->header, memory, made);
  }
  return made;
}

Made received_in_message(uint64_t address, MemoryReader& memory) {
  Made made;
  if (auto message = value_at<MessageHeader>(memory, address)) add_received(*message, memory, made);
  return made;
}

Made made_by_ioctl(const CallArguments& arguments, int32_t result, MemoryReader& memory) {
  auto offset = handle_in_ioctl(static_cast<uint32_t>(arguments[1]));
  if (!offset) return {};
  if (*offset == ioctl_result) return {{result}};
  return one_at(memory, arguments[2] + static_cast<uint64_t>(*offset));
}

struct CloneArguments {
  uint64_t flags, pidfd;
};
CloneArguments clone_arguments(uint64_t number, const CallArguments& arguments, MemoryReader& memory) {
  switch (number) {
    case __NR_clone:
      return {arguments[0], arguments[2]};
    case __NR_clone3:
      return value_at<CloneArguments>(memory, arguments[0]).value_or(CloneArguments{});
    default:
      return {};
  }
}

bool asks_for_pidfd(const CallArguments& arguments) {
  constexpr uint32_t sol_socket = 1, so_peerpidfd = 77;
  return static_cast<uint32_t>(arguments[1]) == sol_socket && static_cast<uint32_t>(arguments[2]) == so_peerpidfd;
}

Made any_made_by(uint64_t number, const CallArguments& arguments, int64_t result, MemoryReader& memory) {
  auto value = static_cast<int32_t>(result);
  switch (traced_call(number).kind) {
    case CallKind::made:
    case CallKind::made_socket:
    case CallKind::fanotify:
      return {{value}};
    case CallKind::made_pair:
      return pair_at(memory, arguments[number == __NR_socketpair ? 3 : 0]);
    case CallKind::duplicated:  // dup2(x, x) does nothing
      if (number != __NR_dup && static_cast<int32_t>(arguments[0]) == value) return {};
      return {{value, HandleAction::duplicate, static_cast<int32_t>(arguments[0])}};
    case CallKind::fcntl:
      return made_by_fcntl(arguments, value);
    case CallKind::signalfd:  // else an existing one was changed
      return static_cast<int32_t>(arguments[0]) == -1 ? Made{{value}} : Made{};
    case CallKind::read:
      return made_by_fanotify(arguments, static_cast<uint64_t>(result), memory);
    case CallKind::bpf:
      return makes_bpf_handle(static_cast<uint32_t>(arguments[0])) ? Made{{value}} : Made{};
    case CallKind::seccomp:
      return static_cast<uint32_t>(arguments[0]) == SECCOMP_SET_MODE_FILTER &&
                     (arguments[1] & SECCOMP_FILTER_FLAG_NEW_LISTENER) != 0
                 ? Made{{value}}
                 : Made{};
    case CallKind::getsockopt:
      return asks_for_pidfd(arguments) ? one_at(memory, arguments[3]) : Made{};
    case CallKind::ioctl:
      return made_by_ioctl(arguments, value, memory);
    case CallKind::received:
      return {{value, HandleAction::receive}};
    case CallKind::message:
      return received_in_message(arguments[1], memory);
    case CallKind::messages:
      return received_in_messages(arguments[1], static_cast<uint64_t>(result), memory);
    case CallKind::fork: {
      CloneArguments clone = clone_arguments(number, arguments, memory);
      return (clone.flags & CLONE_PIDFD) != 0 && result != 0 ? one_at(memory, clone.pidfd) : Made{};
    }
    default:
      return {};
  }
}

}  // namespace

TracedCall traced_call(uint64_t number) {
  return number < std::size(by_number.call) ? by_number.call[number] : TracedCall{};
}

std::vector<MadeHandle> made_by(uint64_t number, const CallArguments& arguments, int64_t result, MemoryReader& memory) {
  Made made = any_made_by(number, arguments, result, memory);
  std::erase_if(made, [](const MadeHandle& handle) { return handle.value < 0; });
  return made;
}

uint64_t extra_of(uint64_t number, const CallArguments& arguments) {
  switch (number) {
    case __NR_socket:
    case __NR_socketpair:
      return (arguments[0] & 0xffff) | (arguments[1] & 0xffff) << 16 | arguments[2] << 32;
    case __NR_ioctl:
      return static_cast<uint32_t>(arguments[1]);
    case __NR_open:
      return arguments[1];
    case __NR_openat:
      return arguments[2];
    default:
      return 0;
  }
}

std::optional<ClosedHandles> closed_by(uint64_t number, const CallArguments& arguments) {
  constexpr uint32_t largest = INT32_MAX;
  auto first = static_cast<uint32_t>(arguments[0]);
  uint32_t last = number == __NR_close_range ? static_cast<uint32_t>(arguments[1]) : first;
  if (first > last || first > largest) return {};
  if (number == __NR_close_range && (arguments[2] & CLOSE_RANGE_CLOEXEC) != 0) return {};
  return ClosedHandles{static_cast<int32_t>(first), static_cast<int32_t>(std::min(last, largest))};
}

bool unshares_table(uint64_t number, const CallArguments& arguments) {
  if (number == __NR_unshare) return (arguments[0] & CLONE_FILES) != 0;
  return number == __NR_close_range && (arguments[2] & CLOSE_RANGE_UNSHARE) != 0;
}

ForkFlags fork_flags(uint64_t number, const CallArguments& arguments, MemoryReader& memory) {
  uint64_t flags = clone_arguments(number, arguments, memory).flags;
  return {(flags & CLONE_THREAD) != 0, (flags & CLONE_FILES) != 0, (flags & CLONE_UNTRACED) != 0};
}

std::optional<TargetText> read_text(MemoryReader& memory, uint64_t address, size_t limit) {
  constexpr uint64_t piece = 256, page = 4096;
  TargetText result;
  while (result.text.size() < limit) {
    // Not across the end of a page: the next may not be there.
    uint64_t at = address + result.text.size();
    size_t size = std::min<uint64_t>({piece, page - at % page, limit - result.text.size()});
    std::array<std::byte, piece> bytes;
    if (!memory.read(at, std::span(bytes).first(size))) return {};
    auto* text = reinterpret_cast<const char*>(bytes.data());
    size_t length = strnlen(text, size);
    result.text.append(text, length);
    if (length < size) return result;
  }
  result.is_cut = true;
  return result;
}

}  // namespace culprit
