#include <fcntl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ways.h"

namespace {

int null_device() { return open("/dev/null", O_RDONLY); }

}  // namespace

WAY(dup) { made(dup(made(null_device()))); }
WAY(dup2) { made(dup2(made(null_device()), 300)); }
WAY(dup3) { made(dup3(made(null_device()), 301, O_CLOEXEC)); }
WAY(fcntl_dupfd) { made(fcntl(made(null_device()), F_DUPFD, 310)); }
WAY(fcntl_dupfd_cloexec) { made(fcntl(made(null_device()), F_DUPFD_CLOEXEC, 320)); }
WAY(dup2_over_open) {
  int old = open("/dev/zero", O_RDONLY);
  made(dup2(made(null_device()), old));  // the handle on /dev/zero is replaced
}
WAY(dup3_over_open) {
  int old = open("/dev/full", O_RDONLY);
  made(dup3(made(null_device()), old, 0));
}
WAY(dup2_on_itself) {
  int number = made(null_device());
  dup2(number, number);  // does nothing
}
WAY(reused_number) {
  int first = open("/dev/zero", O_RDONLY);
  close(first);
  made(open("/dev/full", O_RDONLY));  // the same number, another life
}
WAY(close_range) {
  int source = made(null_device());
  for (int number = 400; number <= 405; number++) dup2(source, number);
  syscall(SYS_close_range, 401, 404, 0);
  made(400);
  made(405);
}
WAY(close_range_cloexec) {
  int source = made(null_device());
  made(dup2(source, 410));
  syscall(SYS_close_range, 410, 410, 4 /* CLOSE_RANGE_CLOEXEC: stays open until an exec */);
}
WAY(pipe) {
  int ends[2];
  if (pipe(ends) == 0) made(ends[0]), made(ends[1]);
}
WAY(pipe2) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) == 0) made(ends[0]), made(ends[1]);
}
WAY(socketpair) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) == 0) made(ends[0]), made(ends[1]);
}

std::span<const Way> duplicate_ways() {
  static const Way ways[] = {
      ROW(dup),
      ROW(dup2),
      ROW(dup3),
      ROW(fcntl_dupfd),
      ROW(fcntl_dupfd_cloexec),
      ROW(dup2_over_open),
      ROW(dup3_over_open),
      ROW(dup2_on_itself),
      ROW(reused_number),
      ROW(close_range),
      ROW(close_range_cloexec),
      ROW(pipe),
      ROW(pipe2),
      ROW(socketpair),
  };
  return ways;
}
