#include "capture/stopped_moment.h"

#include <algorithm>

#include "capture/tsc_clock.h"

namespace culprit {

Result<void> while_stopped(TouchedProcess& victim, Time patience,
                           const std::function<Result<bool>(std::vector<ProcessStopper::Thread>&)>& work) {
  ProcessStopper stopper(victim.pid, victim.late);
  Result<void> result = fail(ErrorKind::limit, "it could not be stopped for a moment");
  const Time deadline = monotonic_now() + patience;
  for (int tries = 0; monotonic_now() < deadline; tries++) {
    auto stopped = stopper.stop(stop_patience_of_try(tries));
    bool is_over = !stopped && stopped.error().kind != ErrorKind::limit;
    if (is_over) result = stopped;
    if (stopped) {
      Result<bool> done = fail(ErrorKind::gone, "it began another program meanwhile");
      if (victim.is_same_program()) done = work(stopper.threads());
      is_over = !done || *done;
      if (!done) result = tl::unexpected<Error>(done.error());
      if (done && *done) result = {};
    }
    stopper.release();
    if (is_over) break;
    stopper.rest(std::min(tries + 1, 20) * 1'000'000);
  }
  victim.longest_stop = std::max(victim.longest_stop, stopper.longest_stop());
  return result;
}

std::vector<uint64_t> stack_words(TouchedProcess& victim, uint64_t stack_pointer) {
  constexpr uint64_t most_looked_at = 1 << 20;
  uint64_t end = victim.code.end_of_mapping(stack_pointer);
  if (stack_pointer % sizeof(uint64_t) != 0 || end <= stack_pointer || end - stack_pointer > most_looked_at) return {};
  std::vector<uint64_t> words((end - stack_pointer) / sizeof(uint64_t));
  if (!victim.memory.read(stack_pointer, std::as_writable_bytes(std::span(words)))) return {};
  return words;
}

}  // namespace culprit
