// Ctrl-C at the console: it stops the command, not the console.
#pragma once

#include <csignal>

namespace culprit {

// While it lives, SIGINT only sets a flag, and system calls that wait return EINTR. One at a time.
class InterruptCatcher {
 public:
  InterruptCatcher();
  ~InterruptCatcher();
  InterruptCatcher(const InterruptCatcher&) = delete;
  InterruptCatcher& operator=(const InterruptCatcher&) = delete;

 private:
  struct sigaction before_ {};
};

bool was_interrupted();
void forget_interrupt();

}  // namespace culprit
