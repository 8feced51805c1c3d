#include "shell/change_counter.h"

#include <algorithm>

namespace culprit {

namespace {

constexpr size_t most_memory = size_t{64} << 20;  // beyond it, begin anew
// Of threads that are drained one after another, events come that much out of order.
constexpr Time held_back = 100'000'000;

}  // namespace

ChangeCounter::Session::Session() : open(tables, {.table_bytes = most_memory / 2, .held_back = held_back}) {
  tables.limit_memory(most_memory);
}

// What a call did is known only from the state of the table: a close may fail, and a dup2 ends what was there.
std::map<uint32_t, ChangeCounter::Changes> ChangeCounter::Session::counts() const {
  std::map<uint32_t, Changes> counts;
  const auto& facts = open.processes();
  for (size_t i = 1; i < facts.size() && i < tables.processes.size(); ++i) {
    if (facts[i].ended) continue;
    Changes& changes = counts[tables.processes[i].pid];
    changes.made += facts[i].created;
    changes.closed += facts[i].closed;
  }
  return counts;
}

ChangeCounter::ChangeCounter(uint32_t pid) : pid_(pid) { begin(); }

void ChangeCounter::begin() {
  last_.clear();
  changes_.clear();
  session_.reset();
  auto session = std::make_unique<Session>();
  WatchRequest request;
  request.all = pid_ == 0;
  if (pid_ != 0) request.pids = {pid_};
  auto recording = start_live_recorder(request, Via::bpf, {}, session->tables, *session);
  if (!recording) return;
  session->recorder = std::move(recording->recorder);
  session_ = std::move(session);
}

void ChangeCounter::round() {
  if (session_) session_->recorder->round();
}

bool ChangeCounter::next_look() {
  if (!session_) return false;
  round();
  session_->recorder->hand_on_losses();
  session_->open.settle(true);
  if (session_->tables.memory() > most_memory * 3 / 4) {
    begin();
    return false;
  }
  auto counts = session_->counts();
  changes_.clear();
  for (const auto& [pid, now] : counts) {
    const Changes before = last_[pid];
    changes_[pid] = {now.made - std::min(now.made, before.made), now.closed - std::min(now.closed, before.closed)};
  }
  last_ = std::move(counts);
  return !std::exchange(session_->has_lost, false);
}

ChangeCounter::Changes ChangeCounter::of(uint32_t pid) const {
  auto found = changes_.find(pid);
  return found == changes_.end() ? Changes{} : found->second;
}

}  // namespace culprit
