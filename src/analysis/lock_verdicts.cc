#include "analysis/lock_verdicts.h"

#include <algorithm>
#include <map>
#include <set>

#include "analysis/wait_graph.h"

namespace culprit {

namespace {

class Judge {
 public:
  explicit Judge(const JudgedScene& judged)
      : scene_(judged.scene), still_(judged.is_still), graph_(make_graph()), stuck_(stuck_nodes(graph_)) {}

  std::vector<SceneVerdict> verdicts() {
    add_cycles();
    add_gone_owners();
    add_possible_cycles();
    add_chains();
    std::ranges::stable_sort(verdicts_, [](const SceneVerdict& a, const SceneVerdict& b) {
      if (a.kind != b.kind) return a.kind < b.kind;
      return a.behind.size() + a.steps.size() > b.behind.size() + b.steps.size();
    });
    return std::move(verdicts_);
  }

  std::vector<size_t> to_verify() const {
    std::vector<size_t> threads;
    for (const auto& cycle : wait_cycles(graph_, stuck_)) threads.insert(threads.end(), cycle.begin(), cycle.end());
    for (size_t thread = 0; thread < graph_.size(); thread++)
      if (has_gone_owner(thread)) threads.push_back(thread);
    return threads;
  }

 private:
  const SeenWait* still_wait(size_t thread) const {
    const auto& wait = scene_.threads[thread].wait;
    return wait && still_[*wait] ? &scene_.waits[*wait] : nullptr;
  }

  WaitGraph make_graph() const {
    WaitGraph graph(scene_.threads.size());
    for (size_t thread = 0; thread < graph.size(); thread++) {
      const SeenWait* wait = still_wait(thread);
      if (wait == nullptr) continue;
      WaitNode& node = graph[thread];
      node.is_waiting = true;
      node.are_all_known = wait->are_all_known;
      for (uint32_t tid : wait->releasers) {
        auto found = scene_.by_tid.find(tid);
        if (found == scene_.by_tid.end()) {
          node.are_all_known = false;
        } else {
          node.releasers.push_back(found->second);
        }
      }
    }
    return graph;
  }

  bool has_gone_owner(size_t thread) const {
    const SeenWait* wait = still_wait(thread);
    return wait != nullptr && stuck_[thread] && wait->owner_state == OwnerState::gone;
  }

  // Where waiting leads from a thread: the last one, and the way there (without it). A cycle leads to its first member.
  struct Way {
    std::vector<size_t> threads;
    size_t end = 0;
  };
  Way way_from(size_t thread) const {
    Way way;
    std::set<size_t> seen;
    // Where any of several could end a wait, only one that none of them will end leads on.
    auto leads_on = [&](size_t at) {
      return graph_[at].releasers.size() == 1 || (stuck_[at] && !graph_[at].releasers.empty());
    };
    while (leads_on(thread) && seen.insert(thread).second && !ends_.contains(thread)) {
      way.threads.push_back(thread);
      thread = graph_[thread].releasers.front();
    }
    way.end = thread;
    return way;
  }

  void note_ends(const SceneVerdict& verdict, size_t index) {
    for (const VerdictStep& step : verdict.steps) ends_[step.thread] = index;
  }

  // Of a cycle in the order of waiting: each step's holder is held for the one before.
  SceneVerdict cycle_verdict(const std::vector<size_t>& cycle) const {
    SceneVerdict verdict;
    for (size_t at = 0; at < cycle.size(); at++) {
      const size_t before = cycle[(at + cycle.size() - 1) % cycle.size()];
      verdict.steps.push_back({cycle[at], scene_.threads[before].wait});
      const SeenWait& wait = *still_wait(cycle[at]);
      if (!wait.is_timed) continue;
      verdict.kind = LockVerdictKind::will_time_out;
      if (wait.seconds_left && (!verdict.seconds_left || *wait.seconds_left < *verdict.seconds_left))
        verdict.seconds_left = wait.seconds_left;
    }
    if (verdict.kind == LockVerdictKind::will_time_out) return verdict;
    if (std::ranges::any_of(cycle, [&](size_t thread) { return is_concluded(thread); })) {
      verdict.kind = LockVerdictKind::possible_cycle;
      verdict.why_possible = "a lock of libc names no owner, and who holds it is concluded from the stacks";
      return verdict;
    }
    verdict.kind = cycle.size() == 1 ? LockVerdictKind::self_deadlock : LockVerdictKind::deadlock;
    if (std::ranges::all_of(cycle, [&](size_t thread) { return might_be_idle(thread); })) {
      verdict.kind = LockVerdictKind::possible_cycle;
      verdict.why_possible = "each waits for words of the other, which a signal handler could still write";
    }
    return verdict;
  }

  bool is_concluded(size_t thread) const { return still_wait(thread)->typed.lock.kind == LockKind::internal; }

  bool might_be_idle(size_t thread) const {
    const TypedWait& typed = still_wait(thread)->typed;
    return (typed.lock.kind == LockKind::pipe || typed.lock.kind == LockKind::socket) && typed.mode == WaitMode::read;
  }

  void add_cycles() {
    for (const auto& cycle : wait_cycles(graph_, stuck_)) {
      verdicts_.push_back(cycle_verdict(cycle));
      note_ends(verdicts_.back(), verdicts_.size() - 1);
    }
  }

  // One for each lock.
  void add_gone_owners() {
    std::map<std::string, size_t> by_lock;
    for (size_t thread = 0; thread < graph_.size(); thread++) {
      if (!has_gone_owner(thread)) continue;
      auto [known, is_new] = by_lock.emplace(still_wait(thread)->lock_key, verdicts_.size());
      if (is_new) {
        SceneVerdict& verdict = verdicts_.emplace_back();
        verdict.kind = LockVerdictKind::owner_gone;
        verdict.steps.push_back({thread, {}});
      } else {
        verdicts_[known->second].behind.push_back(thread);
      }
      ends_[thread] = known->second;
    }
    for (size_t thread = 0; thread < graph_.size(); thread++) {
      if (!stuck_[thread] || ends_.contains(thread)) continue;
      auto end = ends_.find(way_from(thread).end);
      if (end != ends_.end()) verdicts_[end->second].behind.push_back(thread);
    }
  }

  bool waits_for_readers(size_t thread) const {
    const SeenWait* wait = still_wait(thread);
    return wait != nullptr && wait->owner_state == OwnerState::not_recorded && wait->typed.mode == WaitMode::write;
  }

  // The way from somebody who may be a reader back to a writer: by waits for what the writer holds for sure, or for
  // what it may read itself. Empty: there is none.
  std::vector<size_t> way_back(size_t reader, size_t writer) const {
    if (reader == writer || still_wait(reader) == nullptr || ends_.contains(reader)) return {};
    Way way = way_from(reader);
    if (way.end == writer) return way.threads;
    if (!waits_for_readers(way.end) || ends_.contains(way.end) ||
        still_wait(way.end)->lock_key == still_wait(writer)->lock_key)
      return {};
    way.threads.push_back(way.end);
    return way.threads;
  }

  // A thread waits to write what others read, and somebody waits for that thread: if it is a reader, it is a cycle.
  void add_possible_cycles() {
    for (size_t writer = 0; writer < graph_.size(); writer++) {
      if (!waits_for_readers(writer) || ends_.contains(writer)) continue;
      for (size_t reader = 0; reader < graph_.size() && !ends_.contains(writer); reader++) {
        const std::vector<size_t> way = way_back(reader, writer);
        if (way.empty()) continue;
        SceneVerdict verdict;
        verdict.kind = LockVerdictKind::possible_cycle;
        verdict.why_possible = "who holds a read lock is recorded nowhere";
        verdict.steps.push_back({writer, scene_.threads[way.back()].wait});
        size_t before = writer;
        for (size_t thread : way) {
          verdict.steps.push_back({thread, scene_.threads[before].wait});
          before = thread;
        }
        note_ends(verdict, verdicts_.size());
        verdicts_.push_back(std::move(verdict));
      }
      if (!ends_.contains(writer)) add_lonely_writer(writer, *still_wait(writer));
    }
  }

  // It is the only thread there is: then it reads itself what it waits to write.
  void add_lonely_writer(size_t writer, const SeenWait& wait) {
    const uint32_t pid = scene_.threads[writer].thread.pid;
    auto of_process = std::ranges::count(scene_.threads, pid, [](const SeenThread& t) { return t.thread.pid; });
    if (of_process != 1 || wait.typed.lock.is_process_shared) return;
    SceneVerdict verdict;
    verdict.kind = LockVerdictKind::possible_cycle;
    verdict.why_possible = "who holds a read lock is recorded nowhere, but there is no other thread";
    verdict.steps.push_back({writer, scene_.threads[writer].wait});
    note_ends(verdict, verdicts_.size());
    verdicts_.push_back(std::move(verdict));
  }

  // Joining a thread, or waiting for a child or for what is to be read, is what healthy programs do all day.
  static bool is_kept(const SeenWait& wait) {
    const LockKind kind = wait.typed.lock.kind;
    return kind != LockKind::thread_end && kind != LockKind::child && kind != LockKind::pipe &&
           kind != LockKind::socket;
  }

  void add_chains() {
    struct Chain {
      Way longest;
      std::vector<size_t> waiting;
    };
    std::map<size_t, Chain> chains;
    for (size_t thread = 0; thread < graph_.size(); thread++) {
      if (stuck_[thread] || ends_.contains(thread) || graph_[thread].releasers.size() != 1) continue;
      Way way = way_from(thread);
      if (way.threads.empty()) continue;
      if (auto end = ends_.find(way.end); end != ends_.end()) {
        verdicts_[end->second].behind.push_back(thread);
        continue;
      }
      Chain& chain = chains[way.end];
      chain.waiting.push_back(thread);
      if (way.threads.size() > chain.longest.threads.size()) chain.longest = std::move(way);
    }
    for (auto& [end, chain] : chains) {
      if (!std::ranges::any_of(chain.waiting, [&](size_t thread) { return is_kept(*still_wait(thread)); })) continue;
      SceneVerdict verdict;
      std::optional<size_t> holds;
      for (size_t thread : chain.longest.threads) {
        verdict.steps.push_back({thread, holds});
        holds = scene_.threads[thread].wait;
      }
      verdict.steps.push_back({end, holds});
      for (size_t thread : chain.waiting)
        if (std::ranges::find(chain.longest.threads, thread) == chain.longest.threads.end())
          verdict.behind.push_back(thread);
      verdicts_.push_back(std::move(verdict));
    }
  }

  const LockScene& scene_;
  const std::vector<bool>& still_;
  const WaitGraph graph_;
  const std::vector<bool> stuck_;
  std::vector<SceneVerdict> verdicts_;
  std::map<size_t, size_t> ends_;  // threads whose plight a verdict tells already, and which one
};

}  // namespace

std::vector<SceneVerdict> judge(const JudgedScene& judged) { return Judge(judged).verdicts(); }

std::vector<size_t> threads_to_verify(const JudgedScene& judged) { return Judge(judged).to_verify(); }

}  // namespace culprit
