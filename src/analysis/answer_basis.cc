#include "analysis/answer_basis.h"

#include <algorithm>

namespace culprit {

AnswerBasis basis_of(const Trace& trace, const LifeReplay& replay, const LifeFilter& filter, uint64_t nameless,
                     std::vector<Loss> own) {
  const TraceInfo& info = trace.info();
  const TraceWords words{trace.tables(), replay.span().start};
  AnswerBasis basis;
  basis.command = info.command;
  basis.recorded_by = info.recorded_by;
  basis.machine = info.machine;
  basis.wall_clock_ns = info.wall_clock_ns;
  basis.complete = info.complete;
  basis.filter = filter;
  const Time end = std::max(replay.span().end, std::min(info.ended, Time{1} << 60));
  basis.duration = words.seconds(end);
  basis.from = words.seconds(std::max(filter.from, replay.span().start));
  basis.to = words.seconds(filter.to == INT64_MAX ? replay.span().end : std::min(filter.to, end));
  for (const ProcessFacts& facts : replay.lifetimes().processes()) basis.processes += facts.seen ? 1 : 0;
  std::vector<Loss> losses = replay.losses();
  for (Loss& loss : own) losses.push_back(std::move(loss));
  losses.push_back({LossKind::symbols_missing, nameless, ProcessId::none, {}});
  basis.losses = merge_losses(words, losses);
  basis.exact = is_exact(basis.losses);
  return basis;
}

}  // namespace culprit
