#include <fcntl.h>
#include <linux/openat2.h>
#include <mqueue.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ways.h"

namespace {

char scratch_path[] = "/tmp/every_way_XXXXXX";

// A file that exists until the program ends.
const char* scratch_file() {
  static bool ready = [] {
    int number = mkstemp(scratch_path);
    atexit([] { unlink(scratch_path); });
    return number >= 0 && close(number) == 0;
  }();
  return ready ? scratch_path : "/nonexistent";
}

}  // namespace

WAY(open) { made(open("/etc/passwd", O_RDONLY)); }
WAY(open_create) { made(open(scratch_file(), O_WRONLY | O_CREAT, 0600)); }
WAY(openat) { made(openat(AT_FDCWD, "/etc/group", O_RDONLY | O_CLOEXEC)); }
WAY(openat_relative) {
  int directory = made(open("/etc", O_RDONLY | O_DIRECTORY));
  made(openat(directory, "hosts", O_RDONLY));
}
WAY(creat) { made(creat(scratch_file(), 0600)); }
WAY(openat2) {
  open_how how{};
  how.flags = O_RDONLY;
  made(static_cast<int>(syscall(SYS_openat2, AT_FDCWD, "/etc/hosts", &how, sizeof how)));
}
WAY(open_path_only) { made(open("/usr", O_PATH)); }
WAY(open_unnamed) { made(open("/tmp", O_TMPFILE | O_RDWR, 0600)); }
WAY(open_device) { made(open("/dev/zero", O_RDWR)); }
WAY(open_by_handle_at) {
  char space[sizeof(file_handle) + MAX_HANDLE_SZ] = {};
  auto* handle = reinterpret_cast<file_handle*>(space);
  handle->handle_bytes = MAX_HANDLE_SZ;
  int mount_id = 0;
  if (name_to_handle_at(AT_FDCWD, scratch_file(), handle, &mount_id, 0) != 0) {
    made(-1);
    return;
  }
  int mount = made(open("/tmp", O_RDONLY | O_DIRECTORY));
  made(open_by_handle_at(mount, handle, O_RDONLY));
}
WAY(mq_open) {
  made(mq_open("/every_way_queue", O_CREAT | O_RDWR, 0600, nullptr));
  mq_unlink("/every_way_queue");
}
WAY(shm_open) {
  made(shm_open("/every_way_memory", O_CREAT | O_RDWR, 0600));
  shm_unlink("/every_way_memory");
}
WAY(memfd_create) { made(memfd_create("every way", 0)); }
WAY(memfd_secret) { made(static_cast<int>(syscall(447 /* SYS_memfd_secret */, 0))); }
WAY(posix_openpt) { made(posix_openpt(O_RDWR | O_NOCTTY)); }
WAY(terminal_peer) {
  int master = made(posix_openpt(O_RDWR | O_NOCTTY));
  grantpt(master);
  unlockpt(master);
  made(ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY));
}
WAY(mkstemp) {
  char path[] = "/tmp/every_way_XXXXXX";
  made(mkstemp(path));
  unlink(path);
}
WAY(mkostemp) {
  char path[] = "/tmp/every_way_XXXXXX";
  made(mkostemp(path, O_CLOEXEC));
  unlink(path);
}
WAY(openat_by_syscall) { made(static_cast<int>(syscall(SYS_openat, AT_FDCWD, "/etc/services", O_RDONLY))); }

std::span<const Way> file_ways() {
  static const Way ways[] = {
      ROW(open),          ROW(open_create),    ROW(openat),       ROW(openat_relative),   ROW(creat),
      ROW(openat2),       ROW(open_path_only), ROW(open_unnamed), ROW(open_device),       ROW(open_by_handle_at),
      ROW(mq_open),       ROW(shm_open),       ROW(memfd_create), ROW(memfd_secret),      ROW(posix_openpt),
      ROW(terminal_peer), ROW(mkstemp),        ROW(mkostemp),     ROW(openat_by_syscall),
  };
  return ways;
}
