// Blocks whose release is to be told, where that is so of few: those in a sample (sampling.h), or of the sizes that are
// recorded (heap_gate.h). Known by their addresses, so that a release of another one costs a look at one cache line.
#pragma once

#include <stdint.h>

namespace culprit::agent {

// How many noted blocks have addresses with that hash: what is looked at when a block is freed. 255: many.
extern uint8_t noted_hashes[4096] __attribute__((visibility("hidden")));
inline uint8_t& noted_hash_of(const void* block) {
  return noted_hashes[reinterpret_cast<uint64_t>(block) * 0x9e3779b97f4a7c15ull >> 52];
}
inline bool may_be_noted(const void* block) {
  return __builtin_expect(__atomic_load_n(&noted_hash_of(block), __ATOMIC_RELAXED) != 0, 0);
}

// False: there is no place for it.
bool note_block(const void* block);
// From then on this block, and all that would be looked for where it has no place, are said to be noted.
void note_all_beside(const void* block);
bool is_noted(const void* block);
// Whether it was; it is not any more. Before it is released: then somebody else may get it.
bool forget_block(const void* block);
// When nobody is inside the allocator.
void forget_all_blocks();

}  // namespace culprit::agent
