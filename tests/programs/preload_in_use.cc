// Has an LD_PRELOAD of its own, which must stay in force and be seen by it as it was given.
#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

[[gnu::noinline]] int leak_through_wrapper() {
  int file = open("/dev/null", O_RDONLY);
  return file < 0 ? -1 : 0;
}

int main() {
  const char* preload = getenv("LD_PRELOAD");
  std::printf("LD_PRELOAD=%s\n", preload == nullptr ? "(unset)" : preload);
  for (int i = 0; i < 12; i++) {
    if (leak_through_wrapper() != 0) return 1;
    close(open("/dev/null", O_RDONLY));
  }
  return 0;
}
