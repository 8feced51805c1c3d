// Looks at processes in which a thread of the agent's waits to die (struct culprit_death), one after the other, on a
// thread of its own: meanwhile the rings are drained.
#pragma once

#include <atomic>
#include <memory>
#include <thread>

#include "capture/process_book.h"
#include "capture/session_memory.h"
#include "target/dying_process.h"

namespace culprit {

class DeathServer {
 public:
  DeathServer(SessionMemory& memory, LookAtDeath look);
  ~DeathServer() { finish(); }
  DeathServer(const DeathServer&) = delete;
  DeathServer& operator=(const DeathServer&) = delete;

  // Begins to look at the next one, if nobody is being looked at. True: it did.
  bool serve(std::deque<WatchedProcess>& processes);
  // Waits for the look that is under way.
  void finish();

 private:
  bool begin(const WatchedProcess& process, culprit_death& shared);

  SessionMemory& memory_;
  LookAtDeath look_;
  std::thread looker_;
  std::atomic<bool> is_looking_ = false;
};

}  // namespace culprit
