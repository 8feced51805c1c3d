// The program images of the tree: which process record in shared memory belongs to which process, where its code lies,
// and what its agent is told about it.
#pragma once

#include <cstdint>

#include "capture/module_files.h"
#include "capture/process_book.h"
#include "capture/session_memory.h"
#include "capture/shared_tables.h"
#include "capture/tsc_clock.h"

namespace culprit {

class ProcessImages {
 public:
  ProcessImages(SessionMemory& memory, TraceTables& tables, ProcessBook& book, ModuleFiles& files,
                SharedTables& shared_tables, const TscClock& clock)
      : memory_(memory), tables_(tables), book_(book), files_(files), shared_tables_(shared_tables), clock_(clock) {}

  // The process that claimed the record, made known if it is new; null when the record makes no sense. A process that
  // already had another record has executed: its `record` is still the old one, which the caller retires before it
  // calls adopt().
  WatchedProcess* owner_of(uint32_t index, uint32_t pid);
  void adopt(WatchedProcess& process, uint32_t index);

  // Reads the mappings as those of `generation`. False: the process is gone or not ours to read.
  bool read_mappings(WatchedProcess& process, uint32_t generation);
  // The process whose record it is maps the session's memory: its pid means what we think it means (other pid
  // namespaces).
  bool is_genuine(const WatchedProcess& process) const;

  uint32_t table_generation(const WatchedProcess& process) const;
  // Unwind tables of what a program needs first, as far as they are built quickly.
  void build_first_tables(WatchedProcess& process);
  void build_table_at(WatchedProcess& process, uint64_t pc);
  void publish(WatchedProcess& process, bool with_patches);
  // What of its libc and loader cannot be patched, for Process::sight_reason; empty: nothing.
  std::string unfit_sites(const WatchedProcess& process);

  // The loader's and libc's tables are wanted by nearly every program: builds them from those that culprit itself runs
  // on.
  void build_likely_tables();

 private:
  WatchedProcess* introduce(uint32_t pid, uint32_t parent_pid, uint32_t flags, uint64_t begin_tsc);

  SessionMemory& memory_;
  TraceTables& tables_;
  ProcessBook& book_;
  ModuleFiles& files_;
  SharedTables& shared_tables_;
  const TscClock& clock_;
};

// Whether the process has the session's memory mapped: numbers in it may be of another pid namespace, or made up.
bool maps_session(uint32_t pid, const SessionMemory& memory);

}  // namespace culprit
