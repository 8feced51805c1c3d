// Leaks ten handles and is shot before it can say goodbye.
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdio>

[[gnu::noinline]] int leak_before_death() {
  int event = eventfd(0, 0);
  return event < 0 ? -1 : 0;
}

int main() {
  for (int i = 0; i < 10; i++) {
    if (leak_before_death() != 0) return 1;
  }
  std::puts("made ten");
  std::fflush(stdout);
  kill(getpid(), SIGKILL);
  return 3;  // not reached
}
