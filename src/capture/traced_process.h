// What the ptrace back end remembers of the processes and threads it traces.
#pragma once

#include <array>
#include <cstdint>
#include <unordered_set>
#include <vector>

#include "capture/process_book.h"

namespace culprit {

struct TracedProcess {
  WatchedProcess* book = nullptr;
  size_t threads = 0;  // that are traced
  size_t exiting = 0;  // of those, how many have begun to exit

  bool code_changed = true;  // known code was unmapped, or there is a new image: the mappings have to be read again
  bool code_grew = false;    // there may be code that is not known yet

  std::unordered_set<int32_t> fanotify_handles;  // whose reads make handles
  bool compares_table = false;                   // io_uring makes handles without a call for each
  std::vector<bool> open;                        // if so, by number: what events have told
  // Found by comparing while other threads were at work: one of them may be about to tell that it made it.
  struct Doubtful {
    HandleEvent event;
    Time until = 0;
  };
  std::vector<Doubtful> doubtful;

  bool is_leaving = false;  // it is let go, thread by thread

  // An event told that these numbers are in use, or no longer.
  void note(int32_t first, int32_t last, bool is_open);
};

// A system call between its entry and its exit.
struct CallInProgress {
  bool is_valid = false;
  uint64_t number = 0;
  std::array<uint64_t, 6> arguments{};
  Time entered = 0;
  StackId stack = StackId::none;  // if it was taken at the entry
};

struct Tracee {
  uint32_t tid = 0;
  TracedProcess* process = nullptr;  // null: its parent has not told of it yet
  bool is_stopped = false;
  bool is_listening = false;    // stopped by a stop signal, and waiting for SIGCONT
  bool is_interrupted = false;  // asked to stop
  bool is_at_entry = false;     // stopped before its call
  bool is_exiting = false;
  bool is_named = false;
  bool has_own_table = false;  // after unshare: the model knows one handle table per process
  int signal = 0;              // to be delivered when it goes on
  CallInProgress call;
};

}  // namespace culprit
