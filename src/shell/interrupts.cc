#include "shell/interrupts.h"

#include <atomic>

namespace culprit {
namespace {

std::atomic<bool> interrupted = false;
static_assert(std::atomic<bool>::is_always_lock_free);

void note_interrupt(int) { interrupted.store(true, std::memory_order_relaxed); }

}  // namespace

InterruptCatcher::InterruptCatcher() {
  struct sigaction action {};
  action.sa_handler = note_interrupt;  // without SA_RESTART
  sigaction(SIGINT, &action, &before_);
  forget_interrupt();
}

InterruptCatcher::~InterruptCatcher() { sigaction(SIGINT, &before_, nullptr); }

bool was_interrupted() { return interrupted.load(std::memory_order_relaxed); }

void forget_interrupt() { interrupted.store(false, std::memory_order_relaxed); }

}  // namespace culprit
