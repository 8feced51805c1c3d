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

// The frame at an absolute address which lies in `code` (null: in no known code).
Frame frame_in(const MappedCode* code, uint64_t address, FoundBy found_by);
// Where to look for the code of a frame: a return address may lie just behind the mapping of a call that never returns.
inline uint64_t address_inside(uint64_t address, FoundBy found_by) {
  return found_by == FoundBy::registers || address == 0 ? address : address - 1;
}

class CodeMap {
 public:
  // Reads the text of /proc/PID/maps as the mappings of `generation` (culprit_process.table_generation), which may be
  // the newest known one again: then it replaces that.
  void read(uint32_t pid, std::string_view maps_text, uint32_t generation, ModuleFiles& files);
  // The same of entries that came another way; ascending.
  void set(uint32_t pid, const std::vector<MapsEntry>& entries, uint32_t generation, ModuleFiles& files);

  // What lies in [start, end) is about to go, and `generation` begins without it.
  void forget(uint64_t start, uint64_t end, uint32_t generation);

  // The code at `pc` in that generation; if it was not mapped then (or nobody looked), in the nearest later one.
  const MappedCode* find(uint64_t pc, uint32_t generation) const;
  // The frame at an address by the newest mappings; one of no module if nothing is mapped there.
  Frame frame_at(uint64_t address, FoundBy found_by) const;
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
