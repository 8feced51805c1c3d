// Opens handles until none is left, and does not expect that: it crashes.
#include <sys/eventfd.h>
#include <sys/resource.h>

#include <cstdlib>

[[gnu::noinline]] int take_one() {
  int event = eventfd(0, EFD_CLOEXEC);
  if (event < 0) abort();
  return event;
}

int main() {
  rlimit limit{64, 64};
  setrlimit(RLIMIT_NOFILE, &limit);
  for (;;)
    if (take_one() == 0) return 1;
}
