// Takes every handle number there is, as programs do which reserve numbers, and checks that nobody else sits on any of
// them.
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

namespace {

constexpr rlim_t most = 4096;

[[noreturn]] void broken(const char* what, int number) {
  std::printf("%s at %d: errno %d\n", what, number, errno);
  std::exit(1);
}

int count_open_above(int first, int limit) {
  int count = 0;
  for (int number = first; number < limit; number++) count += fcntl(number, F_GETFD) >= 0;
  return count;
}

}  // namespace

[[gnu::noinline]] void take_all(int source, int limit) {
  for (int number = source + 1; number < limit; number++) {
    if (dup2(source, number) != number) broken("dup2", number);
  }
}

int main() {
  rlimit limits;
  getrlimit(RLIMIT_NOFILE, &limits);
  limits.rlim_cur = limits.rlim_max < most ? limits.rlim_max : most;
  setrlimit(RLIMIT_NOFILE, &limits);
  int limit = static_cast<int>(limits.rlim_cur);
  std::printf("open above 2 at the start: %d\n", count_open_above(3, limit));
  int source = open("/dev/null", O_RDWR);
  if (source != 3) broken("the first free number was not 3", source);
  take_all(source, limit);
  if (open("/dev/null", O_RDONLY) >= 0 || errno != EMFILE) broken("there was room for one more", limit);
  struct stat first, other;
  fstat(source, &first);
  for (int number = source + 1; number < limit; number++) {
    if (fstat(number, &other) != 0 || other.st_ino != first.st_ino) broken("disturbed", number);
  }
  for (int number = source + 1; number < limit; number += 2) {
    if (close(number) != 0) broken("close", number);
  }
  std::printf("%d taken, %d left\n", limit - source, count_open_above(3, limit));
  return 0;
}
