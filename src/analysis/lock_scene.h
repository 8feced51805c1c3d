// Everything that waits in a target at one moment, and who could end that: one look. Of a live process nothing is
// stopped, so that a look is no picture of one instant; what may be concluded from it is analysis/lock_analysis's care.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "analysis/futex_wait.h"
#include "analysis/lock_report.h"
#include "target/sharing_threads.h"
#include "target/target.h"
#include "target/wait_peers.h"

namespace culprit {

struct SeenWait {
  size_t thread = 0;  // index into LockScene::threads
  BlockingCall call;
  TypedWait typed;
  bool is_timed = false;
  std::optional<double> seconds_left;  // unknown in cores, and of relative timeouts
  OwnerState owner_state = OwnerState::none;
  uint32_t owner = 0;  // as we see it, which the lock may not; 0: none, or not to be found
  // Thread ids as we see them, each of which could end the wait, and whether nobody else could.
  std::vector<uint32_t> releasers;
  bool are_all_known = false;
  std::string owner_note;
  std::string lock_name;  // of one in the kernel: a file, a pipe; empty: look for the variable
  std::string lock_key;   // the same for two waits exactly if they wait for the same lock
};

struct SeenThread {
  LockThread thread;
  char state = '?';
  std::optional<BlockingCall> call;
  std::optional<size_t> wait;  // index into LockScene::waits
};

struct LockScene {
  std::vector<SeenThread> threads;  // of the target, then of processes that share locks with it
  std::unordered_map<uint32_t, size_t> by_tid;
  std::vector<SeenWait> waits;
  // Our ids by theirs, of the processes in other pid namespaces than ours; by pid, 0: the target.
  std::map<uint32_t, std::unordered_map<uint32_t, uint32_t>> own_numbers;
  size_t own_threads = 0;
  std::vector<std::string> notes;  // what could not be looked at

  const SeenWait* wait_of(uint32_t tid) const;
  // The thread that a process (0: the target) calls so, by our id; 0: it has none.
  uint32_t our_tid(uint32_t pid, uint32_t own) const;
};

class LockObserver {
 public:
  // `target` must outlive this.
  explicit LockObserver(Target& target) : target_(target) {}

  Result<LockScene> look();
  // What the functions that wait told: the kind of the lock whose futex has this address.
  void know(uint64_t futex, LockKind kind) {
    known_[futex] = kind;
    has_learned_ = true;
  }
  // Who may be running the initialisation that is waited for there; whether nobody else can be.
  struct Initialisers {
    std::vector<uint32_t> tids;
    bool are_all_known = false;
  };
  void know_initialisers(uint64_t futex, Initialisers initialisers) {
    initialisers_[futex] = std::move(initialisers);
    has_learned_ = true;
  }
  // Something that the last look did not know.
  bool has_learned() const { return has_learned_; }

  // What was found out about pipes and files is asked for anew from now on.
  void forget_peers() {
    peers_.clear();
    sharers_.clear();
  }
  // A wait of this thread as it is now; nothing: it does not wait, or is none of those of the last look.
  std::optional<SeenWait> look_again(const LockScene& scene, const SeenThread& thread, const BlockingCall& call);
  // A lock of the target for which nobody waits, as a wait for it would have found its owner.
  SeenWait held(const LockScene& scene, const LockState& lock);

 private:
  struct Place {
    Target& target;
    uint32_t pid;  // 0: the target of the question
    std::string name;
  };
  Result<void> add_process(LockScene& scene, const Place& place);
  std::optional<SeenWait> wait_at(const LockScene& scene, const Place& place, const SeenThread& thread,
                                  const BlockingCall& call);
  std::optional<SeenWait> peer_wait(const Place& place, const BlockingCall& call);
  // Owners that only the other waits tell.
  static void find_refusers(LockScene& scene);
  void find_owner(const LockScene& scene, const Place& place, SeenWait& wait);
  void time_left(const Place& place, const FutexCall& call, SeenWait& wait) const;
  // Of a lock whose owner is no thread of the process that waits.
  void find_owner_elsewhere(const LockScene& scene, const Place& place, const TargetMapping* shared, SeenWait& wait);
  void find_sharing_owner(uint32_t own_pid, const TargetMapping& mapping, bool is_namespaced, SeenWait& wait);
  const SharingSearch& sharers_of(uint32_t own_pid, const TargetMapping& mapping, bool is_namespaced,
                                  const LockState& lock);
  Target* other(uint32_t pid);
  Place place_of(uint32_t pid);

  Target& target_;
  std::map<uint32_t, std::unique_ptr<Target>> others_;
  std::vector<uint32_t> wanted_;  // other processes that are still to be looked at
  std::unordered_map<uint64_t, LockKind> known_;
  std::unordered_map<uint64_t, Initialisers> initialisers_;
  bool has_learned_ = false;
  std::map<std::string, std::optional<PeerWait>> peers_;  // of this look: many threads may wait for one pipe
  // Of this look, too: by process, address and owner as the lock calls it.
  std::map<std::tuple<uint32_t, uint64_t, uint32_t>, SharingSearch> sharers_;
  std::vector<std::string> notes_;
};

}  // namespace culprit
