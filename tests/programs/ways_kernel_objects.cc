#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/landlock.h>
#include <linux/nsfs.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ways.h"

namespace {

int call(long number, auto... arguments) { return static_cast<int>(syscall(number, arguments...)); }

int ends_at_once(void*) { return 0; }

}  // namespace

WAY(epoll_create) { made(epoll_create(1)); }
WAY(epoll_create1) { made(epoll_create1(EPOLL_CLOEXEC)); }
WAY(eventfd) { made(eventfd(0, 0)); }
WAY(eventfd_old) { made(call(SYS_eventfd, 0)); }
WAY(timerfd) { made(timerfd_create(CLOCK_MONOTONIC, 0)); }
WAY(signalfd) {
  sigset_t none;
  sigemptyset(&none);
  int number = made(signalfd(-1, &none, 0));
  signalfd(number, &none, 0);  // changes the one it is given
}
WAY(inotify_init) { made(inotify_init()); }
WAY(inotify_init1) { made(inotify_init1(IN_NONBLOCK)); }
WAY(fanotify_init) { made(fanotify_init(FAN_CLASS_NOTIF | FAN_NONBLOCK, O_RDONLY)); }
WAY(fanotify_event) {
  int group = made(fanotify_init(FAN_CLASS_NOTIF | FAN_NONBLOCK, O_RDONLY));
  char path[] = "/tmp/every_way_XXXXXX";
  int file = made(mkstemp(path));
  if (group < 0 || fanotify_mark(group, FAN_MARK_ADD, FAN_MODIFY, AT_FDCWD, path) != 0) {
    made(-1);
  } else {
    ssize_t written = write(file, "x", 1);
    alignas(fanotify_event_metadata) char events[4096];
    ssize_t length = written == 1 ? read(group, events, sizeof events) : -1;
    auto* event = reinterpret_cast<fanotify_event_metadata*>(events);
    for (; FAN_EVENT_OK(event, length); event = FAN_EVENT_NEXT(event, length)) made(event->fd);
  }
  unlink(path);
}
WAY(pidfd_open) { made(call(SYS_pidfd_open, getpid(), 0)); }
WAY(pidfd_getfd) {
  int self = made(call(SYS_pidfd_open, getpid(), 0));
  made(call(SYS_pidfd_getfd, self, 0, 0));
}
WAY(clone_pidfd) {
  static char stack[65536];
  int number = -1;
  int child = clone(ends_at_once, stack + sizeof stack, CLONE_PIDFD | SIGCHLD, nullptr, &number);
  made(child < 0 ? -1 : number);
  if (child > 0) waitpid(child, nullptr, 0);
}
WAY(open_tree) { made(call(428 /* SYS_open_tree */, AT_FDCWD, "/tmp", O_CLOEXEC)); }
WAY(fsopen) { made(call(430 /* SYS_fsopen */, "tmpfs", 0)); }
WAY(fsmount) {
  int context = made(call(430 /* SYS_fsopen */, "tmpfs", 0));
  constexpr int create = 6;  // FSCONFIG_CMD_CREATE
  if (context < 0 || call(431 /* SYS_fsconfig */, context, create, nullptr, nullptr, 0) != 0) return;
  made(call(432 /* SYS_fsmount */, context, 0, 0));
}
WAY(fspick) { made(call(433 /* SYS_fspick */, AT_FDCWD, "/dev/shm", 0)); }
WAY(bpf_map) {
  bpf_attr attributes{};
  attributes.map_type = BPF_MAP_TYPE_ARRAY;
  attributes.key_size = 4;
  attributes.value_size = 4;
  attributes.max_entries = 1;
  made(call(SYS_bpf, BPF_MAP_CREATE, &attributes, sizeof attributes));
}
WAY(perf_event_open) {
  perf_event_attr attributes{};
  attributes.size = sizeof attributes;
  attributes.type = PERF_TYPE_SOFTWARE;
  attributes.config = PERF_COUNT_SW_TASK_CLOCK;
  made(call(SYS_perf_event_open, &attributes, 0, -1, -1, 0));
}
WAY(userfaultfd) { made(call(SYS_userfaultfd, O_NONBLOCK | 1 /* UFFD_USER_MODE_ONLY */)); }
WAY(landlock) {
  landlock_ruleset_attr attributes{};
  attributes.handled_access_fs = LANDLOCK_ACCESS_FS_EXECUTE;
  made(call(444 /* SYS_landlock_create_ruleset */, &attributes, sizeof attributes, 0));
}
WAY(user_namespace) {
  int network = made(open("/proc/self/ns/net", O_RDONLY));
  made(ioctl(network, NS_GET_USERNS));
}

std::span<const Way> kernel_object_ways() {
  static const Way ways[] = {
      ROW(epoll_create), ROW(epoll_create1),  ROW(eventfd),       ROW(eventfd_old),     ROW(timerfd),
      ROW(signalfd),     ROW(inotify_init),   ROW(inotify_init1), ROW(fanotify_init),   ROW(fanotify_event),
      ROW(pidfd_open),   ROW(pidfd_getfd),    ROW(clone_pidfd),   ROW(open_tree),       ROW(fsopen),
      ROW(fsmount),      ROW(fspick),         ROW(bpf_map),       ROW(perf_event_open), ROW(userfaultfd),
      ROW(landlock),     ROW(user_namespace),
  };
  return ways;
}
