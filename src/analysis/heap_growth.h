// Two looks at a heap by size: which sizes have grown between them, and whether it is one that does.
#pragma once

#include <vector>

#include "analysis/heap_report.h"
#include "model/allocation_event.h"

namespace culprit {

struct SizeGrowth {
  uint64_t size = 0;  // what each block can hold
  HeapCount before, after;

  uint64_t more_blocks() const { return after.blocks - before.blocks; }
  uint64_t more_bytes() const { return after.bytes - before.bytes; }
};

struct HeapGrowth {
  double seconds = 0;              // between the looks
  std::vector<SizeGrowth> sizes;   // that have more blocks than before, most bytes first
  uint64_t more_bytes = 0;         // of all those
  HeapCount in_use;                // at the second look
  Time stopped_for = 0;            // the longer of the two stops
  std::vector<MergedLoss> losses;  // of both looks
  bool exact = true;

  // The size that most of it is of; null: nothing has grown, or it is spread over many sizes.
  const SizeGrowth* suspect() const;
};

// Both asked by_size, for all groups.
HeapGrowth growth_between(const HeapReport& first, const HeapReport& second, double seconds);

// What a program may have asked for to get blocks that hold so much, in glibc's heap.
BlockSizes asked_sizes(uint64_t size);

}  // namespace culprit
