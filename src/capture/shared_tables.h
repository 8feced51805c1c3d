// What agents are told about files: unwind tables and system call sites, put into the session's memory once per file,
// when they are first wanted.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "capture/module_files.h"
#include "capture/session_memory.h"
#include "unwind/unwinder.h"

namespace culprit {

enum class TableState : uint8_t { not_built, built, impossible };

struct SharedModule {
  TableState unwind = TableState::not_built;
  culprit_range table{};  // rows, row_count, far, far_count
  TableState sites = TableState::not_built;
  culprit_patch_list patches{};           // sites, site_count
  std::vector<culprit_site> known_sites;  // the same, where nobody else can write
  std::string unfit;                      // what of it cannot be patched, one sentence; empty: nothing
};

class SharedTables {
 public:
  explicit SharedTables(SessionMemory& memory) : memory_(memory) {}

  SharedModule& of(const ModuleFile& file);  // stays valid as long as this object
  void build_unwind(const ModuleFile& file);
  void build_sites(const ModuleFile& file);
  // For our own unwinder, with the table as it is in shared memory; without rows if there is none.
  UnwindCode unwind_code(const ModuleFile& file, uint64_t bias);

  uint64_t left_out() const { return left_out_; }  // because the shared memory was full

 private:
  SessionMemory& memory_;
  std::unordered_map<const ModuleFile*, SharedModule> modules_;
  uint64_t left_out_ = 0;
};

}  // namespace culprit
