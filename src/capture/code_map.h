// Where code lies in a process, and what it was before: an address in a ring was taken when the mappings were of an
// earlier time.
#pragma once

#include <cstdint>
#include <deque>
#include <string_view>
#include <vector>

#include "capture/module_files.h"
#include "model/stack.h"

namespace culprit {

struct MappedCode {
  uint64_t start = 0, end = 0;
  uint64_t bias = 0;           // absolute minus link-time address
  ModuleFile* file = nullptr;  // null: code that came from no file (JIT)
};

class CodeMap {
 public:
  // Reads the text of /proc/PID/maps as the mappings of `generation` (culprit_process.table_generation), which may be
  // the newest known one again: then it replaces that.
  void read(uint32_t pid, std::string_view maps_text, uint32_t generation, ModuleFiles& files);

  // What lies in [start, end) is about to go, and `generation` begins without it.
  void forget(uint64_t start, uint64_t end, uint32_t generation);

  // The code at `pc` in that generation; if it was not mapped then (or nobody looked), in the nearest later one.
  const MappedCode* find(uint64_t pc, uint32_t generation) const;
  const std::vector<MappedCode>& newest() const;
  bool empty() const { return versions_.empty(); }
  uint32_t generation() const { return versions_.empty() ? 0 : versions_.back().generation; }

 private:
  struct Version {
    uint32_t generation;
    std::vector<MappedCode> code;  // ascending, disjoint
  };
  void add(uint32_t generation, std::vector<MappedCode> code);

  std::deque<Version> versions_;  // ascending by generation
};

}  // namespace culprit
