// A timer signal arrives thousands of times while main opens and closes; the handler opens and closes too, in the
// middle of whatever main is doing. Every hundredth handle is forgotten on either side. Prints "made FUNCTION CREATED
// CLOSED".
//   signal_storm [MICROSECONDS]   between two signals; 50
#include <fcntl.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

namespace {

volatile sig_atomic_t signals = 0;
int main_created, main_closed, handler_created, handler_closed;

}  // namespace

extern "C" {
[[gnu::noinline]] int open_in_main() {
  int file = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (file < 0) std::_Exit(9);
  return file;
}
[[gnu::noinline]] int open_in_handler() {
  int event = eventfd(0, EFD_CLOEXEC);
  if (event < 0) std::_Exit(8);
  return event;
}
}

namespace {

void handler(int) {
  int event = open_in_handler();
  handler_created++;
  if (signals % 100 != 0) {
    close(event);
    handler_closed++;
  }
  signals = signals + 1;
}

}  // namespace

int main(int argc, char** argv) {
  const long period = argc > 1 ? std::atol(argv[1]) : 50;
  if (period <= 0 || period >= 1'000'000) return 2;
  const sig_atomic_t wanted_signals = period > 50 ? 1000 : 4000;
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  sigaction(SIGALRM, &action, nullptr);
  sigevent event{};
  event.sigev_notify = SIGEV_SIGNAL;
  event.sigev_signo = SIGALRM;
  timer_t timer;
  if (timer_create(CLOCK_MONOTONIC, &event, &timer) != 0) return 1;
  itimerspec often{{0, period * 1000}, {0, period * 1000}};
  timer_settime(timer, 0, &often, nullptr);
  while (signals < wanted_signals) {
    int file = open_in_main();
    main_created++;
    if (main_created % 1000 != 0 || main_created > 100000) {
      close(file);
      main_closed++;
    }
  }
  timer_delete(timer);
  std::printf("made open_in_main %d %d\nmade open_in_handler %d %d\n", main_created, main_closed, handler_created,
              handler_closed);
  return 0;
}
