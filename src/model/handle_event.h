// What happens to a process's handle table, as it was seen: one event per call. Lives of handles, replaced ones, inherited ones
// and ones closed by exec or exit are worked out from these by analysis/handle_lifetimes.
#pragma once

#include <cstdint>
#include <string_view>

#include "model/ids.h"

namespace culprit {

enum class HandleAction : uint8_t {
  open,         // `value` is new; if the number was in use, the old handle was replaced (dup2 and its kin)
  duplicate,    // like open, and it shares the object of handle `other`
  receive,      // like open, and it came from another process (SCM_RIGHTS, pidfd_getfd …)
  close,        // `value` ends here (stamped before the call, so that a reuse of the number is always later)
  close_range,  // all numbers from `value` to `other`, both included, end here
};

struct HandleEvent {
  Time time = 0;  // creations: when the call returned; closes: when it began
  int64_t value = -1;
  int64_t other = -1;
  ProcessId process = ProcessId::none;  // whose table changed, and who did it
  uint32_t tid = 0;
  StackId stack = StackId::none;
  StringId call = StringId::none;  // "openat", "accept4", "ioctl(TIOCGPTPEER)" …
  StringId type = StringId::none;  // one of handle_types.h, or a Windows type name; none: not known from the call
  StringId name = StringId::none;  // path as given, "socket tcp" …; none: not known from the call
  HandleAction action = HandleAction::open;

  bool operator==(const HandleEvent&) const = default;
};

// The names of handle types on Linux. An open set: imported traces bring their own ("Event", "Mutant").
namespace handle_type {
inline constexpr std::string_view file = "file", directory = "directory", device = "device", pipe = "pipe", fifo = "fifo",
                                  socket = "socket", eventfd = "eventfd", epoll = "epoll", timerfd = "timerfd",
                                  signalfd = "signalfd", inotify = "inotify", fanotify = "fanotify", pidfd = "pidfd",
                                  memfd = "memfd", mount = "mount", bpf = "bpf", perf_event = "perf event",
                                  userfaultfd = "userfaultfd", io_uring = "io_uring", landlock = "landlock",
                                  message_queue = "message queue", terminal = "terminal", name_space = "namespace",
                                  seccomp = "seccomp", dma_buf = "dma-buf", kvm = "kvm", other = "other";
}  // namespace handle_type

}  // namespace culprit
