// `culprit run --heap --sample`: of what the program allocates only a sample is told. Which blocks are in it
// is noted (noted_blocks.h).
#pragma once

#include <stddef.h>

#include "agent/noted_blocks.h"
#include "agent/process.h"
#include "agent/thread.h"

namespace culprit::agent {

inline bool is_sampling() { return process.sample_bytes != 0; }

// Whether what is not in the sample can be handed to the allocator without more ado. To be asked anew whenever the
// allocator has changed; false at first.
extern bool passes_quickly __attribute__((visibility("hidden")));
void choose_way_of_sampling();

// Past the next sampled byte, or this thread has not begun to count.
bool sample_at_end_of_gap(size_t size);

// While sampling: is the block of this size that is about to be told in the sample?
inline bool is_in_sample(size_t size) {
  constexpr size_t largest = size_t{1} << 60;
  // A block of no bytes is one, too.
  thread.until_sample -= static_cast<int64_t>(size < 1 ? 1 : size > largest ? largest : size);
  return __builtin_expect(thread.until_sample <= 0, 0) && sample_at_end_of_gap(size);
}

// Counts the block if that is sure not to be in the sample. Else is_in_sample() has to be asked.
inline bool passes_sample(size_t size) {
  if (!passes_quickly || size == 0 || size >= static_cast<uint64_t>(thread.until_sample)) return false;
  thread.until_sample -= static_cast<int64_t>(size);
  return true;
}

// False: there is no place to remember it, it cannot be told.
bool remember_sampled(const void* block);

}  // namespace culprit::agent
