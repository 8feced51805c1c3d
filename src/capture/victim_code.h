// The code of a process that is about to be touched: which functions of its libc can be called, where a thread must not
// stand while they are, and how to unwind it. Read while everything runs, so that nobody has to stand still for it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "capture/borrowed_thread.h"
#include "capture/module_files.h"
#include "capture/shared_tables.h"

namespace culprit {

class VictimCode {
 public:
  // Errors: unsupported (its libc is none that could be called), gone, no_access.
  static Result<VictimCode> read(uint32_t pid, ModuleFiles& files, SharedTables& tables);

  const LibcEntries& libc() const { return libc_; }

  // What the threads' stacks are checked against.
  std::optional<UnwindCode> unwind_code_at(uint64_t pc) const;
  // A thread that is in there (or returns to it) may hold a lock, or be in the middle of what a call from outside needs
  // whole: the loader, the allocator, making and ending of threads and processes. `waits`: the thread is in a system
  // call, where some of these hold nothing.
  bool is_delicate(uint64_t pc, bool waits) const;
  // Neither libc nor the loader nor the kernel's page.
  bool is_programs_own(uint64_t pc) const;
  uint64_t end_of_mapping(uint64_t address) const;  // 0: nothing was mapped there

  // Places of libc and its loader that the agent patches.
  struct Site {
    uint64_t start = 0;  // absolute
    culprit_site site;
  };
  const std::vector<Site>& sites() const { return sites_; }  // ascending

  // What exports functions of malloc's family.
  struct AllocatorFile {
    std::string path;  // how we reach it
    uint64_t bias = 0;
  };
  const std::vector<AllocatorFile>& allocators() const { return allocators_; }

 private:
  struct Piece {
    uint64_t start = 0, end = 0;
    UnwindCode unwind;
    bool is_system = false;  // libc, loader, vdso
  };
  struct Range {
    uint64_t start = 0, end = 0;
  };

  void add_module(const MapsEntry& entry, const ModuleFile& file, uint64_t bias, SharedTables& tables);
  void add_libc(const ModuleFile& file, uint64_t bias);
  void add_allocator(const ModuleFile& file, const MapsEntry& entry, uint64_t bias);
  const Piece* piece_at(uint64_t pc) const;

  LibcEntries libc_;
  std::string libc_path_;
  std::vector<Piece> pieces_;                             // ascending
  std::vector<Range> delicate_, delicate_while_running_;  // any order
  std::vector<Range> mappings_;                           // ascending
  std::vector<Site> sites_;
  std::vector<AllocatorFile> allocators_;
};

}  // namespace culprit
