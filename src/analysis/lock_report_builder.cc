#include "analysis/lock_report_builder.h"

#include <algorithm>

namespace culprit {

namespace {

class Builder {
 public:
  Builder(const JudgedScene& judged, const LockHelpers& helpers, const LockWords& nameless)
      : judged_(judged), scene_(judged.scene), helpers_(helpers), nameless_(nameless) {}

  LockReport build() {
    const std::vector<bool> concerned = concerned_threads();
    wait_index_.assign(scene_.waits.size(), SIZE_MAX);
    for (size_t at = 0; at < scene_.waits.size(); at++)
      if (concerned[scene_.waits[at].thread]) add_wait(at);
    for (const SceneVerdict& verdict : judge(judged_))
      if (std::ranges::any_of(verdict.steps, [&](const VerdictStep& step) { return concerned[step.thread]; }))
        add_verdict(verdict);
    return std::move(report_);
  }

 private:
  // The target's own threads, and those of other processes that they wait for.
  std::vector<bool> concerned_threads() const {
    std::vector<bool> concerned(scene_.threads.size());
    std::vector<size_t> reached;
    for (size_t thread = 0; thread < scene_.own_threads; thread++) reached.push_back(thread);
    while (!reached.empty()) {
      const size_t thread = reached.back();
      reached.pop_back();
      if (concerned[thread]) continue;
      concerned[thread] = true;
      const auto& wait = scene_.threads[thread].wait;
      if (!wait) continue;
      for (uint32_t tid : scene_.waits[*wait].releasers)
        if (auto found = scene_.by_tid.find(tid); found != scene_.by_tid.end()) reached.push_back(found->second);
    }
    return concerned;
  }

  void add_wait(size_t at) {
    const SeenWait& seen = scene_.waits[at];
    auto [known, is_new] = lock_index_.emplace(seen.lock_key, report_.locks.size());
    if (is_new) add_lock(seen);
    LockWait wait;
    wait.thread = scene_.threads[seen.thread].thread;
    wait.lock = known->second;
    wait.mode = seen.typed.mode;
    wait.is_timed = seen.is_timed;
    wait.seconds_left = seen.seconds_left;
    wait.is_still = judged_.is_still[at];
    wait_index_[at] = report_.waits.size();
    report_.locks[wait.lock].waits.push_back(report_.waits.size());
    report_.waits.push_back(std::move(wait));
  }

  void add_lock(const SeenWait& seen) {
    LockInfo& info = report_.locks.emplace_back();
    info.lock = seen.typed.lock;
    info.owner_state = seen.owner_state;
    info.owner_note = seen.owner_note;
    info.name = seen.lock_name;
    info.is_refused = seen.typed.is_refused;
    if (info.lock.kind == LockKind::thread_end) {
      // Its address is that of a field in the thread's own memory, which says nothing.
    } else if (auto words = nameless_.find(info.lock.address); words != nameless_.end()) {
      info.name = words->second;
    } else if (info.name.empty() && helpers_.name && info.lock.address != 0 &&
               scene_.threads[seen.thread].thread.pid == 0) {
      AddressName name = helpers_.name(info.lock.address);
      info.name = std::move(name.name);
      info.module = std::move(name.module);
    }
    if (seen.owner_state == OwnerState::none || seen.owner_state == OwnerState::not_recorded) return;
    auto owner = scene_.by_tid.find(seen.owner);
    info.owner = owner != scene_.by_tid.end() ? scene_.threads[owner->second].thread
                                              : LockThread{seen.typed.lock.owner, "", 0, ""};
  }

  void add_verdict(const SceneVerdict& seen) {
    LockVerdict& verdict = report_.verdicts.emplace_back();
    verdict.kind = seen.kind;
    verdict.seconds_left = seen.seconds_left;
    verdict.why_possible = seen.why_possible;
    for (const VerdictStep& seen_step : seen.steps) {
      LockStep& step = verdict.steps.emplace_back();
      const SeenThread& thread = scene_.threads[seen_step.thread];
      step.thread = thread.thread;
      if (seen_step.holds_lock_of && wait_index_[*seen_step.holds_lock_of] != SIZE_MAX)
        step.holds = report_.waits[wait_index_[*seen_step.holds_lock_of]].lock;
      if (thread.wait && wait_index_[*thread.wait] != SIZE_MAX) step.waits_for = wait_index_[*thread.wait];
      if (thread.state == 'R') step.doing = "runs";
    }
    for (size_t thread : seen.behind) verdict.behind.push_back(scene_.threads[thread].thread);
  }

  const JudgedScene& judged_;
  const LockScene& scene_;
  const LockHelpers& helpers_;
  const LockWords& nameless_;
  LockReport report_;
  std::unordered_map<std::string, size_t> lock_index_;
  std::vector<size_t> wait_index_;
};

}  // namespace

LockReport build_lock_report(const JudgedScene& judged, const LockHelpers& helpers, const LockWords& nameless) {
  return Builder(judged, helpers, nameless).build();
}

}  // namespace culprit
