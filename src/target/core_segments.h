// The pieces of the address space that a core file lists: PT_LOAD.
#pragma once

#include <algorithm>
#include <vector>

#include "format/elf.h"

namespace culprit {

class CoreSegments {
 public:
  explicit CoreSegments(const std::vector<ElfSegment>& segments) {
    for (const ElfSegment& each : segments)
      if (each.is_load() && size_of(each) != 0 && size_of(each) <= UINT64_MAX - each.address) loads_.push_back(each);
    std::ranges::stable_sort(loads_, {}, &ElfSegment::address);
  }

  // By its start; null: nothing is listed there. (gcore does not list what it does not store.)
  const ElfSegment* at(uint64_t address) const {
    auto after = std::ranges::upper_bound(loads_, address, {}, &ElfSegment::address);
    if (after == loads_.begin()) return nullptr;
    const ElfSegment& load = *std::prev(after);
    return address < end_of(load) ? &load : nullptr;
  }

  const std::vector<ElfSegment>& all() const { return loads_; }  // ascending
  static uint64_t size_of(const ElfSegment& load) { return std::max(load.memory_size, load.file_size); }
  static uint64_t end_of(const ElfSegment& load) { return load.address + size_of(load); }

 private:
  std::vector<ElfSegment> loads_;
};

}  // namespace culprit
