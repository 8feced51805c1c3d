// The files whose code runs in the tree: each is examined once, however many processes map it, and its unwind table and
// system call sites are put into shared memory once, when they are first wanted.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "capture/session_memory.h"
#include "format/elf.h"
#include "format/procfs.h"
#include "model/trace.h"

namespace culprit {

enum class TableState : uint8_t { not_built, built, impossible };

struct ModuleFile {
  ModuleId id = ModuleId::none;
  std::string path;         // as the process sees it
  std::string opened_path;  // how we reach it
  uint64_t size = 0;
  std::vector<ElfSegment> segments;
  TableState unwind = TableState::not_built;
  culprit_range table{};  // rows, row_count, far, far_count
  TableState sites = TableState::not_built;
  culprit_patch_list patches{};  // sites, site_count
  std::string unfit;             // what of it cannot be patched, one sentence; empty: nothing

  bool is_patchable() const;  // libc or its loader
};

class ModuleFiles {
 public:
  ModuleFiles(SessionMemory& memory, TraceTables& tables) : memory_(memory), tables_(tables) {}
  ModuleFiles(const ModuleFiles&) = delete;
  ModuleFiles& operator=(const ModuleFiles&) = delete;

  // The file behind a mapping of code; null for anonymous memory. Stays valid as long as this object.
  // A file that can no longer be read still gets a ModuleId, but no tables.
  ModuleFile* of(uint32_t pid, const MapsEntry& entry);

  void build_unwind(ModuleFile& file);
  void build_sites(ModuleFile& file);

  uint64_t tables_left_out() const { return tables_left_out_; }  // because the shared memory was full

 private:
  // Device, inode, path, then size and time of change, so that a rebuilt program is a new file.
  using Key = std::tuple<uint64_t, uint64_t, std::string, uint64_t, int64_t>;

  ModuleFile& examine(const MapsEntry& entry, std::string opened_path);
  ModuleId intern(const std::string& path, const std::string& build_id);

  SessionMemory& memory_;
  TraceTables& tables_;
  std::deque<ModuleFile> files_;
  std::map<Key, ModuleFile*> by_key_;
  std::map<std::pair<std::string, std::string>, ModuleId> ids_;
  uint64_t tables_left_out_ = 0;
};

}  // namespace culprit
