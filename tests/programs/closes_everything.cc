// Closes all numbers above 2 in the three ways daemons do, whether open or not, and goes on.
#include <dirent.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <initializer_list>

[[gnu::noinline]] void make_some(int count) {
  while (count-- > 0) {
    if (open("/dev/null", O_RDONLY) < 0) std::exit(1);
  }
}

[[gnu::noinline]] void leak_at_the_end(int count) {
  while (count-- > 0) {
    if (eventfd(0, 0) < 0) std::exit(1);
  }
}

namespace {

void close_by_loop() {
  for (int number = 3; number < 1024; number++) close(number);
}

void close_by_range() { syscall(SYS_close_range, 3u, ~0u, 0); }

void close_by_listing() {
  DIR* directory = opendir("/proc/self/fd");
  while (dirent* entry = readdir(directory)) {
    int number = std::atoi(entry->d_name);
    if (number > 2 && number != dirfd(directory)) close(number);
  }
  closedir(directory);
}

}  // namespace

int main() {
  for (auto* close_all : {close_by_loop, close_by_range, close_by_listing}) {
    make_some(10);
    close_all();
    int next = open("/dev/null", O_RDONLY);
    std::printf("next number %d\n", next);
    close(next);
  }
  leak_at_the_end(11);
  return 0;
}
