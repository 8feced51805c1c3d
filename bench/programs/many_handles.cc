// Holds N handles of several kinds, says so, and waits for the end of its standard input.
//   many_handles N
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <initializer_list>

int main(int argc, char** argv) {
  const int wanted = argc > 1 ? std::atoi(argv[1]) : 1000;
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  int held = 0;
  auto keep = [&](int value) {
    if (value >= 0) ++held;
    return value >= 0;
  };
  // As a server has them: mostly sockets and files. Four of ten are files, two each of sockets, pipes and others.
  for (bool goes_on = true; goes_on && held + 10 <= wanted;) {
    int pair[2], ends[2];
    for (const char* path : {"/etc/passwd", "/etc/group", "/etc/hosts", "/dev/null"})
      goes_on &= keep(open(path, O_RDONLY | O_CLOEXEC));
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0) keep(pair[0]), keep(pair[1]);
    if (pipe2(ends, O_CLOEXEC) == 0) keep(ends[0]), keep(ends[1]);
    goes_on &= keep(eventfd(0, EFD_CLOEXEC)) && keep(open("/etc", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }
  std::printf("%d\n", held);
  std::fflush(stdout);
  char byte = 0;
  while (read(0, &byte, 1) > 0) {
  }
}
