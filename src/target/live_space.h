// The address space of a live process: its memory, what is mapped where, and which of that are ELF files.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "base/result.h"
#include "format/procfs.h"
#include "target/target.h"
#include "target/victim_memory.h"

namespace culprit {

class LiveSpace {
 public:
  // gone, no_access.
  static Result<LiveSpace> open(uint32_t pid);

  // As it is now: libraries come and go, and an exec makes it another one.
  Result<void> refresh();

  VictimMemory& memory() { return memory_; }
  const std::vector<TargetMapping>& mappings() const { return mappings_; }
  const std::vector<TargetModule>& modules() const { return modules_.back(); }
  const TargetMapping* mapping_at(uint64_t address) const;  // null: none

 private:
  LiveSpace(uint32_t pid, VictimMemory memory) : pid_(pid), memory_(std::move(memory)) {}
  void find_modules(const std::vector<MapsEntry>& entries);

  uint32_t pid_;
  VictimMemory memory_;  // stays that of the program which ran when it was opened
  std::string maps_text_;
  std::vector<TargetMapping> mappings_;
  std::vector<MapsEntry> code_;                    // what modules_.back() was made from
  std::deque<std::vector<TargetModule>> modules_;  // the newest last; what was handed out stays
};

}  // namespace culprit
