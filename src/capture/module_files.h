// The files whose code runs in the recorded processes: each is examined once, however many processes map it.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "format/elf.h"
#include "format/procfs.h"
#include "model/trace.h"
#include "unwind/unwind_table.h"

namespace culprit {

struct ModuleFile {
  ModuleId id = ModuleId::none;
  std::string path;         // as the process sees it
  std::string opened_path;  // how we reach it
  uint64_t size = 0;
  uint64_t entry = 0;                // link-time address at which it begins
  std::string interpreter;           // its loader; empty: has none
  std::vector<ElfSegment> segments;  // empty: it cannot be read, or is no ELF file

  bool is_patchable() const;  // libc or its loader
};

class ModuleFiles {
 public:
  explicit ModuleFiles(TraceTables& tables) : tables_(tables) {}
  ModuleFiles(const ModuleFiles&) = delete;
  ModuleFiles& operator=(const ModuleFiles&) = delete;

  // The file behind a mapping of code; null for anonymous memory. Stays valid as long as this object.
  // A file that can no longer be read still gets a ModuleId, but no segments.
  ModuleFile* of(uint32_t pid, const MapsEntry& entry);

 private:
  // Device, inode, path, then size and time of change, so that a rebuilt program is a new file.
  using Key = std::tuple<uint64_t, uint64_t, std::string, uint64_t, int64_t>;

  ModuleFile& examine(const MapsEntry& entry, std::string opened_path);
  ModuleId intern(const std::string& path, const std::string& build_id);

  TraceTables& tables_;
  std::deque<ModuleFile> files_;
  std::map<Key, ModuleFile*> by_key_;
  std::map<std::pair<std::string, std::string>, ModuleId> ids_;
};

// Reads the file's .eh_frame; takes milliseconds per megabyte of code. Empty when it has none; nothing when the file
// cannot be read.
std::optional<UnwindTable> build_unwind_table(const ModuleFile& file);

}  // namespace culprit
