// The culprit of `./dev demo`: fun3 makes an event and closes it, fun4 makes one and forgets it.
#include <sys/eventfd.h>
#include <unistd.h>

#include <chrono>
#include <thread>

namespace {

constexpr int rounds = 300;
constexpr auto pause_between_rounds = std::chrono::milliseconds(5);  // long enough that a rate can be seen

}  // namespace

[[gnu::noinline]] int fun3() {
  int event = eventfd(0, EFD_CLOEXEC);
  if (event < 0) return -1;
  return close(event);
}

[[gnu::noinline]] int fun4() {
  int event = eventfd(0, EFD_CLOEXEC);
  return event < 0 ? -1 : 0;  // and nobody knows its number any more
}

[[gnu::noinline]] bool fun1() { return fun3() == 0; }

[[gnu::noinline]] bool fun2() { return fun4() == 0; }

int main() {
  for (int round = 0; round < rounds; round++) {
    if (!fun1() || !fun2()) return 1;
    std::this_thread::sleep_for(pause_between_rounds);
  }
  return 0;
}
