#include "analysis/lock_analysis.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include "analysis/lock_report_builder.h"
#include "analysis/wait_names.h"
#include "target/standing_time.h"
#include "target/thread_look.h"

namespace culprit {

namespace {

constexpr size_t most_stacks_for_names = 64;

bool is_same_wait(const SeenWait& a, const SeenWait& b) {
  if (a.typed.is_refused && b.typed.is_refused) return a.call == b.call;
  return a.call == b.call && a.typed.lock.kind == b.typed.lock.kind && a.typed.lock.owner == b.typed.lock.owner &&
         a.owner_state == b.owner_state;
}

bool has_function(const ReportStack& stack, const std::string& function, size_t from) {
  for (size_t at = from; at < stack.frames.size(); at++)
    if (stack.frames[at].function == function) return true;
  return false;
}

// By wait of the second scene.
std::vector<bool> still_waits(const LockScene& first, const LockScene& second) {
  std::vector<bool> still(second.waits.size());
  for (size_t at = 0; at < second.waits.size(); at++) {
    const SeenWait* before = first.wait_of(second.threads[second.waits[at].thread].thread.tid);
    still[at] = before != nullptr && is_same_wait(*before, second.waits[at]);
  }
  return still;
}

// The same without looking at all threads again: only waits that somebody in particular could end matter to verdicts.
std::vector<bool> still_owned_waits(Target& target, LockObserver& observer, const LockScene& scene) {
  observer.forget_peers();
  std::vector<bool> still(scene.waits.size(), true);
  for (size_t at = 0; at < still.size(); at++) {
    const SeenWait& wait = scene.waits[at];
    if (wait.releasers.empty() && wait.owner_state == OwnerState::none) continue;
    const SeenThread& thread = scene.threads[wait.thread];
    auto standing = standing_of(thread.thread.pid != 0 ? thread.thread.pid : target.info().pid, thread.thread.tid);
    still[at] = standing && standing->call.number == static_cast<int64_t>(wait.call.number);
    if (!still[at]) continue;
    auto now = observer.look_again(scene, thread, {wait.call.number, standing->call.arguments});
    still[at] = now && is_same_wait(wait, *now);
  }
  return still;
}

// Asks the functions that wait where the layout of a lock tells too little, one thread for each lock.
LockWords name_unknown_waits(LockObserver& observer, const LockScene& scene, const LockHelpers& helpers) {
  LockWords words;
  if (!helpers.stacks) return words;
  std::vector<uint32_t> tids;
  std::vector<uint64_t> futexes;
  for (const SeenWait& wait : scene.waits) {
    const LockThread& thread = scene.threads[wait.thread].thread;
    const uint64_t futex = wait.call.arguments[0];
    if (wait.typed.lock.kind != LockKind::futex || thread.pid != 0 || tids.size() == most_stacks_for_names ||
        std::ranges::find(futexes, futex) != futexes.end())
      continue;
    tids.push_back(thread.tid);
    futexes.push_back(futex);
  }
  if (tids.empty()) return words;
  const std::vector<ReportStack> stacks = helpers.stacks(tids);
  for (size_t at = 0; at < std::min(stacks.size(), tids.size()); at++) {
    auto named = wait_named_by(stacks[at]);
    if (!named) continue;
    observer.know(futexes[at], named->kind);
    if (!named->what.empty()) words[futexes[at]] = named->what;
  }
  return words;
}

// A function's initialisation, or an init routine, is run by a thread that has the function, or pthread_once, on its
// stack outside of the wait: the guard itself names nobody. Several may have; then any of them may be the one. So may
// who is inside a function of libc that takes a lock of libc's own.
void find_initialisers(LockObserver& observer, const LockScene& scene, const LockHelpers& helpers) {
  if (!helpers.stacks) return;
  std::vector<uint32_t> tids;
  std::vector<size_t> waits;
  for (size_t thread = 0; thread < scene.own_threads; thread++) {
    tids.push_back(scene.threads[thread].thread.tid);
    const auto& wait = scene.threads[thread].wait;
    const LockKind kind = wait ? scene.waits[*wait].typed.lock.kind : LockKind::futex;
    if (kind == LockKind::static_guard || kind == LockKind::once || kind == LockKind::internal) waits.push_back(*wait);
  }
  if (waits.empty()) return;
  const std::vector<ReportStack> stacks = helpers.stacks(tids);
  if (stacks.size() != tids.size()) return;
  for (size_t at : waits) {
    const SeenWait& wait = scene.waits[at];
    const ReportStack& stack = stacks[wait.thread];
    auto named = wait_named_by(stack);
    const bool is_internal = wait.typed.lock.kind == LockKind::internal;
    if (is_internal && (!named || named->what.empty())) continue;
    // Of a guard the caller of __cxa_guard_acquire, of pthread_once itself.
    const size_t frame = named ? named->frame + (wait.typed.lock.kind == LockKind::static_guard ? 1 : 0) : SIZE_MAX;
    if (frame >= stack.frames.size()) continue;
    std::vector<uint32_t> initialisers;
    for (size_t thread = 0; thread < stacks.size(); thread++) {
      const SeenWait* same = scene.wait_of(tids[thread]);
      const bool waits_too = same != nullptr && same->lock_key == wait.lock_key;
      const bool has_it =
          is_internal
              ? may_hold_internal(stacks[thread], named->what, waits_too ? caller_of_internal(stack, *named) : 0)
              : has_function(stacks[thread], stack.frames[frame].function, waits_too ? frame + 1 : 0);
      if (has_it) initialisers.push_back(tids[thread]);
    }
    const bool all_complete =
        std::ranges::none_of(stacks, [](const ReportStack& other) { return other.truncated || other.frames.empty(); });
    observer.know_initialisers(wait.call.arguments[0], {std::move(initialisers), all_complete});
  }
}

// Whether those on whom the worst verdicts rest stand at one moment, all of them; those that do not are no longer
// believed. True: all do.
bool verify(Target& target, LockObserver& observer, const LockScene& scene, std::vector<bool>& still) {
  const std::vector<size_t> threads = threads_to_verify({scene, still});
  observer.forget_peers();
  auto standing = [&](size_t at) {
    const LockThread& thread = scene.threads[at].thread;
    return standing_of(thread.pid != 0 ? thread.pid : target.info().pid, thread.tid);
  };
  std::vector<std::optional<Standing>> before;
  for (size_t thread : threads) before.push_back(standing(thread));
  bool all_stand = true;
  std::vector<bool> stands(threads.size());
  for (size_t at = 0; at < threads.size(); at++) {
    const SeenThread& thread = scene.threads[threads[at]];
    const SeenWait& seen = scene.waits[*thread.wait];
    if (!before[at] || before[at]->call.number != static_cast<int64_t>(seen.call.number)) continue;
    auto now = observer.look_again(scene, thread, {seen.call.number, before[at]->call.arguments});
    stands[at] = now && is_same_wait(*now, seen);
  }
  for (size_t at = 0; at < threads.size(); at++) {
    if (stands[at] && standing(threads[at]) == before[at]) continue;
    still[*scene.threads[threads[at]].wait] = false;
    all_stand = false;
  }
  return all_stand;
}

void add_stacks(LockReport& report, const LockQuestion& question, const LockHelpers& helpers) {
  if (!helpers.stacks) return;
  std::vector<uint32_t> tids;
  std::vector<ReportStack*> places;
  auto want = [&](const LockThread& thread, ReportStack& place) {
    if (thread.pid != 0) return;
    tids.push_back(thread.tid);
    places.push_back(&place);
  };
  for (LockVerdict& verdict : report.verdicts)
    for (LockStep& step : verdict.steps) want(step.thread, step.where);
  if (question.all_stacks)
    for (LockWait& wait : report.waits) want(wait.thread, wait.where);
  std::vector<ReportStack> stacks = helpers.stacks(tids);
  for (size_t at = 0; at < std::min(stacks.size(), places.size()); at++) *places[at] = std::move(stacks[at]);
}

// Of those at the end of a chain. Without stacks too: the system call that one is in says it as well.
void add_what_owners_do(LockReport& report, const LockHelpers& helpers) {
  if (!helpers.doing) return;
  for (LockVerdict& verdict : report.verdicts)
    for (LockStep& step : verdict.steps)
      if (!step.waits_for && step.thread.pid == 0) step.doing = helpers.doing(step.thread.tid, step.where);
}

// For each lock of a verdict, and the one that was asked for.
void add_places_taken(LockReport& report, const LockHelpers& helpers) {
  if (!helpers.place_taken) return;
  std::vector<bool> is_wanted(report.locks.size());
  if (report.asked) is_wanted[*report.asked] = true;
  for (const LockVerdict& verdict : report.verdicts)
    for (const LockStep& step : verdict.steps)
      if (step.holds) is_wanted[*step.holds] = true;
  for (size_t at = 0; at < report.locks.size(); at++) {
    LockInfo& info = report.locks[at];
    const bool is_mutex = info.lock.kind == LockKind::mutex || info.lock.kind == LockKind::rwlock;
    if (!is_wanted[at] || !is_mutex || info.is_refused || info.owner_state != OwnerState::here) continue;
    const uint32_t owner = info.owner->tid;
    const bool waits_itself =
        std::ranges::any_of(info.waits, [&](size_t wait) { return report.waits[wait].thread.tid == owner; });
    info.taken = helpers.place_taken({info.lock.address, owner, waits_itself || info.lock.recursion > 1});
  }
}

// For the waits of the verdicts, and those whose stacks are told.
void add_waiting_times(LockReport& report, const LockQuestion& question) {
  if (!report.is_live) return;
  std::vector<bool> is_wanted(report.waits.size(), question.all_stacks);
  for (const LockVerdict& verdict : report.verdicts)
    for (const LockStep& step : verdict.steps)
      if (step.waits_for) is_wanted[*step.waits_for] = true;
  std::vector<StandingThread> threads;
  std::vector<LockWait*> waits;
  for (size_t at = 0; at < report.waits.size(); at++) {
    const LockThread& thread = report.waits[at].thread;
    if (!is_wanted[at] || !report.waits[at].is_still) continue;
    threads.push_back({thread.pid != 0 ? thread.pid : report.pid, thread.tid});
    waits.push_back(&report.waits[at]);
  }
  const std::vector<std::optional<double>> times = standing_times(threads);
  for (size_t at = 0; at < times.size(); at++) waits[at]->seconds_waited = times[at];
}

// Leaves only what the lock at this address has to do with.
Result<void> explain(LockReport& report, Target& target, LockObserver& observer, const LockScene& scene,
                     uint64_t address, const LockHelpers& helpers) {
  auto known = std::ranges::find(report.locks, address, [](const LockInfo& info) { return info.lock.address; });
  if (known == report.locks.end()) {
    auto is_thread = [&](uint32_t tid) { return scene.by_tid.contains(scene.our_tid(0, tid)); };
    auto lock = guess_lock_state(address, target.memory(), is_thread);
    if (!lock)
      return fail(ErrorKind::not_found,
                  "nobody waits for a lock there, and the bytes are neither a pthread_mutex_t, nor a pthread_rwlock_t, "
                  "nor a pthread_cond_t of glibc that threads wait for",
                  address);
    const SeenWait held = observer.held(scene, *lock);
    LockInfo info;
    info.lock = *lock;
    info.owner_state = held.owner_state;
    info.owner_note = held.owner_note;
    if (auto owner = scene.by_tid.find(held.owner); held.owner != 0 && owner != scene.by_tid.end()) {
      info.owner = scene.threads[owner->second].thread;
    } else if (lock->owner != 0) {
      info.owner = LockThread{lock->owner, "", 0, ""};
    }
    if (helpers.name) {
      AddressName name = helpers.name(address);
      info.name = std::move(name.name);
      info.module = std::move(name.module);
    }
    report.locks.push_back(std::move(info));
    known = std::prev(report.locks.end());
  }
  const auto asked = static_cast<size_t>(known - report.locks.begin());
  report.asked = asked;
  std::erase_if(report.verdicts, [&](const LockVerdict& verdict) {
    return std::ranges::none_of(verdict.steps, [&](const LockStep& step) {
      return step.holds == asked || (step.waits_for && report.waits[*step.waits_for].lock == asked);
    });
  });
  return {};
}

}  // namespace

Result<LockReport> examine_locks(Target& target, const LockQuestion& question, const LockHelpers& helpers) {
  LockObserver observer(target);
  auto scene = observer.look();
  if (!scene) return tl::unexpected<Error>(std::move(scene).error());
  const bool is_live = target.info().kind == TargetKind::live, moves = is_live && !target.info().is_held;
  // What stacks tell about waits makes another look at them worthwhile.
  const LockWords nameless = name_unknown_waits(observer, *scene, helpers);
  auto look_again = [&]() -> Result<void> {
    auto next = observer.look();
    if (!next) return tl::unexpected<Error>(std::move(next).error());
    scene = std::move(next);
    return {};
  };
  if (observer.has_learned()) CULPRIT_TRY(look_again());
  find_initialisers(observer, *scene, helpers);
  if (observer.has_learned()) CULPRIT_TRY(look_again());
  std::vector<bool> still(scene->waits.size(), true);
  if (moves && !question.single_look) {
    std::this_thread::sleep_for(std::chrono::nanoseconds(question.between));
    if (question.all_stacks) {
      const LockScene first = std::move(*scene);
      CULPRIT_TRY(look_again());
      still = still_waits(first, *scene);
    } else {
      still = still_owned_waits(target, observer, *scene);
    }
  }
  // Whoever does not stand changes what the others wait for.
  while (moves && !verify(target, observer, *scene, still)) {
  }

  const JudgedScene judged{*scene, still};
  LockReport report = build_lock_report(judged, helpers, nameless);
  report.target = target.info().name;
  report.is_live = is_live;
  report.pid = target.info().pid;
  report.threads = static_cast<uint32_t>(scene->own_threads);
  report.seconds_between = moves && !question.single_look ? static_cast<double>(question.between) / 1e9 : 0;
  report.moved = static_cast<uint64_t>(std::ranges::count(still, false));
  report.notes = scene->notes;
  for (const Loss& loss : target.info().losses) {
    report.losses.push_back({loss.kind, loss.count, {}});
    if (!loss.detail.empty()) report.losses.back().details.push_back(loss.detail);
    report.exact &= !meaning_of(loss.kind).makes_partial;
  }
  if (question.address) CULPRIT_TRY(explain(report, target, observer, *scene, *question.address, helpers));
  // A thread that is held has not stood since it began to wait.
  if (helpers.stacks && moves) add_waiting_times(report, question);
  add_stacks(report, question, helpers);
  add_what_owners_do(report, helpers);
  add_places_taken(report, helpers);
  report.longest_stop = target.longest_stop();
  return report;
}

}  // namespace culprit
