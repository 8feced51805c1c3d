#include "shell/exit_looks.h"

#include <algorithm>
#include <system_error>

#include "analysis/exit_look.h"
#include "model/clock.h"

namespace culprit {

namespace {

// Each holds a copy of a process's memory.
constexpr size_t most_at_once = 2;
// In one event of the recording.
constexpr size_t most_blocks = size_t{1} << 16;

UnreachableBlocks look(const ExitingProcess& exiting, std::atomic<bool>& is_let_go) {
  const Time time = monotonic_now();
  UnreachableBlocks found = look_at_exit({exiting.pid, exiting.tid, exiting.stack_from, exiting.has_foreign_malloc},
                                         [&] { is_let_go = true; });
  found.time = time;
  found.process = exiting.process;
  return found;
}

void hand_on_in_parts(const UnreachableBlocks& found, EventSink& sink) {
  UnreachableBlocks part{found.time, found.process, found.why_not, {}};
  auto next = found.blocks.begin();
  do {
    const auto end = next + std::min<ptrdiff_t>(most_blocks, found.blocks.end() - next);
    part.blocks.assign(next, end);
    sink.on_unreachable(part);
    next = end;
  } while (next != found.blocks.end());
}

}  // namespace

size_t ExitLooks::at_work() const {
  return static_cast<size_t>(std::ranges::count_if(looks_, [](const auto& entry) {
    return entry.second->found.wait_for(std::chrono::seconds(0)) == std::future_status::timeout;
  }));
}

bool ExitLooks::may_end(const ExitingProcess& exiting) {
  auto known = looks_.find(exiting.process);
  if (known != looks_.end()) return known->second->is_let_go;
  if (at_work() >= most_at_once) return false;
  auto look_at_it = std::make_unique<Look>();
  Look& started = *look_at_it;
  try {
    started.found = std::async(std::launch::async, [exiting, &started] { return look(exiting, started.is_let_go); });
  } catch (const std::system_error&) {
    started.found = std::async(std::launch::deferred, [exiting] {
      return UnreachableBlocks{monotonic_now(), exiting.process, "no thread could be had to look at it", {}};
    });
    started.is_let_go = true;
  }
  looks_.emplace(exiting.process, std::move(look_at_it));
  return false;
}

void ExitLooks::hand_on(EventSink& sink) {
  for (auto& [process, look] : looks_) hand_on_in_parts(look->found.get(), sink);
  looks_.clear();
}

}  // namespace culprit
