#include "analysis/lock_scene.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>

#include "base/syscall.h"
#include "format/procfs.h"
#include "target/pid_namespace.h"
#include "target/ptrace_threads.h"

namespace culprit {

namespace {

constexpr size_t most_other_processes = 16;
constexpr size_t most_peers = 256;  // pipes and the like whose other ends are looked for

const TargetMapping* mapping_at(Target& target, uint64_t address) {
  const auto& mappings = target.mappings();
  auto after = std::ranges::upper_bound(mappings, address, {}, &TargetMapping::start);
  if (after == mappings.begin() || std::prev(after)->end <= address) return nullptr;
  return &*std::prev(after);
}

bool maps_the_same(Target& target, const TargetMapping& shared) {
  return std::ranges::any_of(target.mappings(), [&](const TargetMapping& mapping) {
    return mapping.is_shared && mapping.path == shared.path && !mapping.path.empty();
  });
}

// The process that a thread belongs to; nothing: there is no such thread.
std::optional<ProcessStatus> status_of_thread(uint32_t tid) {
  auto text = read_whole_file(fmt::format("/proc/{}/status", tid), 8192);
  return text ? parse_status(*text) : std::nullopt;
}

bool has_thread(uint32_t pid, uint32_t tid) {
  return access(fmt::format("/proc/{}/task/{}", pid, tid).c_str(), F_OK) == 0;
}

bool has_recorded_owner(LockKind kind) {
  return kind == LockKind::mutex || kind == LockKind::rwlock || kind == LockKind::stream ||
         kind == LockKind::thread_end;
}

double now_by(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

}  // namespace

const SeenWait* LockScene::wait_of(uint32_t tid) const {
  auto found = by_tid.find(tid);
  if (found == by_tid.end() || !threads[found->second].wait) return nullptr;
  return &waits[*threads[found->second].wait];
}

uint32_t LockScene::our_tid(uint32_t pid, uint32_t own) const {
  const auto process = own_numbers.find(pid);
  if (process == own_numbers.end()) return own;
  const auto found = process->second.find(own);
  return found == process->second.end() ? 0 : found->second;
}

Result<LockScene> LockObserver::look() {
  LockScene scene;
  wanted_.clear();
  has_learned_ = false;
  notes_.clear();
  forget_peers();
  CULPRIT_TRY(add_process(scene, place_of(0)));
  scene.own_threads = scene.threads.size();
  for (size_t at = 0; at < wanted_.size(); at++) {
    if (Target* target = other(wanted_[at])) {
      const Place place{*target, wanted_[at], place_of(wanted_[at]).name};
      if (auto added = add_process(scene, place); !added) notes_.push_back(added.error().what);
    }
  }
  find_refusers(scene);
  if (peers_.size() == most_peers) notes_.push_back("of pipes, sockets and files only the first 256 were looked at");
  scene.notes = notes_;
  return scene;
}

// The kernel refused a mutex because whoever holds it waits for the thread: it is held by one of those that wait for
// what the thread holds, or, if nobody does, by the thread itself.
void LockObserver::find_refusers(LockScene& scene) {
  for (SeenWait& refused : scene.waits) {
    if (!refused.typed.is_refused) continue;
    const uint32_t tid = scene.threads[refused.thread].thread.tid;
    refused.are_all_known = true;
    refused.owner_state = OwnerState::here;
    refused.lock_key = fmt::format("refused {}", tid);
    for (const SeenWait& wait : scene.waits)
      if (wait.typed.lock.inherits_priority && wait.owner == tid)
        refused.releasers.push_back(scene.threads[wait.thread].thread.tid);
    if (refused.releasers.empty()) refused.releasers.push_back(tid);
  }
}

LockObserver::Place LockObserver::place_of(uint32_t pid) {
  if (pid == 0) return {target_, 0, ""};
  auto status = status_of_thread(pid);
  Target* target = other(pid);
  return {target != nullptr ? *target : target_, pid, status ? status->name : ""};
}

Result<void> LockObserver::add_process(LockScene& scene, const Place& place) {
  auto threads = place.target.threads(ThreadWish::names_and_waits);
  if (!threads) return tl::unexpected<Error>(std::move(threads).error());
  const size_t first = scene.threads.size();
  const uint32_t pid = place.target.info().pid;
  if (place.target.info().kind == TargetKind::live && has_own_numbers(pid))
    scene.own_numbers[place.pid] = threads_by_own_number(pid);
  for (const TargetThread& thread : *threads) {
    if (!scene.by_tid.emplace(thread.tid, scene.threads.size()).second) continue;
    LockThread named{thread.tid, thread.name, place.pid, place.name};
    scene.threads.push_back({std::move(named), thread.state, thread.blocked_in, {}});
  }
  for (size_t at = first; at < scene.threads.size(); at++) {
    SeenThread& thread = scene.threads[at];
    if (!thread.call) continue;
    auto wait = wait_at(scene, place, thread, *thread.call);
    if (!wait) continue;
    wait->thread = at;
    thread.wait = scene.waits.size();
    scene.waits.push_back(std::move(*wait));
  }
  return {};
}

std::optional<SeenWait> LockObserver::wait_at(const LockScene& scene, const Place& place, const SeenThread& thread,
                                              const BlockingCall& call) {
  auto futex = futex_call_of(call);
  if (!futex) return peer_wait(place, call);
  SeenWait wait;
  wait.call = call;
  const auto known = known_.find(futex->address);
  auto is_thread = [&](uint32_t tid) { return scene.by_tid.contains(scene.our_tid(place.pid, tid)); };
  wait.typed = type_futex_wait(*futex, place.target.memory(), is_thread,
                               known == known_.end() ? LockKind::futex : known->second);
  time_left(place, *futex, wait);
  find_owner(scene, place, wait);
  // The kernel lets nobody wait for a mutex that inherits priority and is its own (EDEADLK). But it writes the next
  // owner's number into the mutex before it wakes that thread.
  if (wait.typed.lock.inherits_priority && wait.owner == thread.thread.tid) {
    wait.owner_state = OwnerState::none;
    wait.owner = wait.typed.lock.owner = 0;
    wait.releasers.clear();
    wait.are_all_known = false;
  }
  return wait;
}

std::optional<SeenWait> LockObserver::peer_wait(const Place& place, const BlockingCall& call) {
  constexpr std::pair<PeerKind, LockKind> kinds[] = {{PeerKind::file_lock, LockKind::file},
                                                     {PeerKind::pipe, LockKind::pipe},
                                                     {PeerKind::socket, LockKind::socket},
                                                     {PeerKind::child, LockKind::child}};
  if (target_.info().kind != TargetKind::live) return {};
  const uint32_t pid = place.pid != 0 ? place.pid : target_.info().pid;
  const std::string same = fmt::format("{} {} {}", pid, call.number, call.arguments[0]);
  if (!peers_.contains(same) && peers_.size() == most_peers) return {};
  auto [known, is_new] = peers_.try_emplace(same);
  if (is_new) known->second = peer_wait_of(pid, call);
  const std::optional<PeerWait>& peer = known->second;
  if (!peer) return {};
  SeenWait wait;
  wait.call = call;
  wait.lock_name = peer->name;
  wait.lock_key = peer->key;
  wait.are_all_known = peer->are_all_known;
  for (auto [kind, lock_kind] : kinds)
    if (kind == peer->kind) wait.typed.lock.kind = lock_kind;
  if (peer->kind == PeerKind::pipe || peer->kind == PeerKind::socket)
    wait.typed.mode = peer->is_write ? WaitMode::write : WaitMode::read;
  for (uint32_t pid : peer->processes) {
    if (pid != target_.info().pid && std::ranges::find(wanted_, pid) == wanted_.end()) wanted_.push_back(pid);
    for (uint32_t tid : threads_of(pid)) wait.releasers.push_back(tid);
  }
  if (wait.releasers.empty()) wait.are_all_known = false;
  return wait;
}

void LockObserver::time_left(const Place& place, const FutexCall& call, SeenWait& wait) const {
  if (call.timeout == 0) return;
  timespec until{};
  wait.is_timed = place.target.memory().read(call.timeout, std::as_writable_bytes(std::span(&until, 1)));
  // How long a relative timeout has been running is known to the kernel alone.
  if (!wait.is_timed || !call.is_absolute || target_.info().kind != TargetKind::live) return;
  const double end = static_cast<double>(until.tv_sec) + static_cast<double>(until.tv_nsec) / 1e9;
  wait.seconds_left = std::max(0.0, end - now_by(call.is_realtime ? CLOCK_REALTIME : CLOCK_MONOTONIC));
}

void LockObserver::find_owner(const LockScene& scene, const Place& place, SeenWait& wait) {
  LockState& lock = wait.typed.lock;
  const TargetMapping* mapping = mapping_at(place.target, lock.address);
  const bool is_shared = mapping != nullptr && mapping->is_shared;
  wait.lock_key = is_shared && !mapping->path.empty()
                      ? fmt::format("{}+{:x}", mapping->path, lock.address - mapping->start + mapping->offset)
                      : fmt::format("{}:{:x}", place.pid, lock.address);
  if (lock.kind == LockKind::rwlock && lock.owner == 0 && lock.readers != 0)
    wait.owner_state = OwnerState::not_recorded;
  if (auto known = initialisers_.find(wait.call.arguments[0]); known != initialisers_.end() && place.pid == 0) {
    wait.releasers = known->second.tids;
    wait.are_all_known = known->second.are_all_known && !wait.releasers.empty();
    if (lock.kind == LockKind::internal) {
      wait.owner_state = OwnerState::not_recorded;
    } else if (wait.releasers.size() == 1) {
      wait.owner = lock.owner = wait.releasers.front();
      wait.owner_state = OwnerState::here;
    }
    return;
  }
  if (!has_recorded_owner(lock.kind) || lock.owner == 0) return;

  const auto found = scene.by_tid.find(scene.our_tid(place.pid, lock.owner));
  if (found == scene.by_tid.end()) return find_owner_elsewhere(scene, place, is_shared ? mapping : nullptr, wait);
  wait.owner = found->first;
  wait.owner_state = scene.threads[found->second].thread.pid == 0 ? OwnerState::here : OwnerState::other_process;
  wait.releasers = {wait.owner};
  wait.are_all_known = true;
}

void LockObserver::find_owner_elsewhere(const LockScene& scene, const Place& place, const TargetMapping* shared,
                                        SeenWait& wait) {
  const LockState& lock = wait.typed.lock;
  if (target_.info().kind != TargetKind::live) {
    // In a core, who else shared it is not to be known.
    wait.owner_state = shared != nullptr ? OwnerState::not_recorded : OwnerState::gone;
    wait.are_all_known = shared == nullptr;
    return;
  }
  const uint32_t own_pid = place.pid != 0 ? place.pid : target_.info().pid;
  const bool is_namespaced = scene.own_numbers.contains(place.pid);
  // It may have begun after the threads were listed.
  if (is_namespaced ? threads_by_own_number(own_pid).contains(lock.owner) : has_thread(own_pid, lock.owner)) return;
  if (shared != nullptr) return find_sharing_owner(own_pid, *shared, is_namespaced, wait);
  wait.owner_state = OwnerState::gone;
  wait.are_all_known = true;
  auto status = is_namespaced ? std::nullopt : status_of_thread(lock.owner);
  if (!status) return;
  auto own = status_of_thread(own_pid);
  auto parent = status_of_thread(status->process);
  if (own && parent && own->parent == status->process)
    wait.owner_note = fmt::format(
        "{} is a thread of the parent process {} ({}): the lock was held while it forked, and this is the copy, which "
        "nobody here will unlock",
        lock.owner, status->process, parent->name);
}

// The thread of that number in our own namespace, if its process shares the memory, else whoever calls itself so.
// Several may, in several namespaces.
const SharingSearch& LockObserver::sharers_of(uint32_t own_pid, const TargetMapping& mapping, bool is_namespaced,
                                              const LockState& lock) {
  auto [known, is_new] = sharers_.try_emplace({own_pid, lock.address, lock.owner});
  if (!is_new) return known->second;
  auto status = is_namespaced ? std::nullopt : status_of_thread(lock.owner);
  Target* target = status ? other(status->process) : nullptr;
  if (target != nullptr && maps_the_same(*target, mapping))
    known->second.threads.push_back({status->process, lock.owner});
  else
    known->second = find_sharing_threads(own_pid, lock.address, lock.owner);
  return known->second;
}

void LockObserver::find_sharing_owner(uint32_t own_pid, const TargetMapping& mapping, bool is_namespaced,
                                      SeenWait& wait) {
  const SharingSearch& search = sharers_of(own_pid, mapping, is_namespaced, wait.typed.lock);
  if (search.threads.size() == 1) {
    const SharingThread& owner = search.threads.front();
    if (std::ranges::find(wanted_, owner.pid) == wanted_.end()) wanted_.push_back(owner.pid);
    wait.owner_state = OwnerState::other_process;
    wait.owner = owner.tid;
    wait.releasers = {owner.tid};
    wait.are_all_known = true;
  } else {
    const bool is_gone = search.threads.empty() && search.are_all_known;
    wait.owner_state = is_gone ? OwnerState::gone : OwnerState::not_recorded;
    wait.are_all_known = is_gone;
  }
}

Target* LockObserver::other(uint32_t pid) {
  auto known = others_.find(pid);
  if (known != others_.end()) return known->second.get();
  if (others_.size() >= most_other_processes) {
    notes_.push_back(fmt::format("process {} was not looked at: it is beyond the {} that share locks with this one",
                                 pid, most_other_processes));
    return nullptr;
  }
  auto opened = open_live_process(pid);
  if (!opened) notes_.push_back(opened.error().what);
  return (others_[pid] = opened ? std::move(*opened) : nullptr).get();
}

SeenWait LockObserver::held(const LockScene& scene, const LockState& lock) {
  SeenWait wait;
  wait.typed.lock = lock;
  find_owner(scene, place_of(0), wait);
  return wait;
}

std::optional<SeenWait> LockObserver::look_again(const LockScene& scene, const SeenThread& thread,
                                                 const BlockingCall& call) {
  return wait_at(scene, place_of(thread.thread.pid), thread, call);
}

}  // namespace culprit
