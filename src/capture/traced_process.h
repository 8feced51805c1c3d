// What the ptrace back end remembers of the processes and threads it traces.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "capture/process_book.h"
#include "capture/traced_table.h"

namespace culprit {

struct TracedProcess {
  WatchedProcess* book = nullptr;
  size_t threads = 0;  // that are traced
  size_t exiting = 0;  // of those, how many have begun to exit

  bool code_changed = true;  // known code was unmapped, or there is a new image: the mappings have to be read again
  bool code_grew = false;    // there may be code that is not known yet

  std::shared_ptr<TracedTable> table = std::make_shared<TracedTable>();
  bool has_listener = false;  // somebody answers some of its calls, maybe with a handle
  uint64_t known_answers = 0;

  bool has_page = false;    // it was looked at before its death
  bool is_leaving = false;  // it is let go, thread by thread
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
  uint32_t waits_for = 0;      // stays stopped until no other thread of this process is traced; 0: nothing
  CallInProgress call;
};

}  // namespace culprit
