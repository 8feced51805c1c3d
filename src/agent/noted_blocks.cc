#include "agent/noted_blocks.h"

#include "agent/memory.h"
#include "agent/raw_syscall.h"

namespace culprit::agent {

namespace {

// Each block is in the one bucket of its own, as the complement of its address: who looks in this memory for pointers
// to blocks (at exit, `heap PID --unreachable`) shall not find these.
constexpr uint32_t bucket_bits = 16, bucket_size = 7;
struct alignas(64) Bucket {
  uint64_t has_all;                       // more than it has room for
  uint64_t unlike_pointers[bucket_size];  // 0: free
};
Bucket buckets[1u << bucket_bits];
bool has_noted;

Bucket& bucket_of(uint64_t address) { return buckets[address * 0x9e3779b97f4a7c15ull >> (64 - bucket_bits)]; }

uint64_t unlike_pointer(const void* block) { return ~address_of(block); }

bool exchange(uint64_t& place, uint64_t expected, uint64_t wanted) {
  return __atomic_load_n(&place, __ATOMIC_RELAXED) == expected &&
         __atomic_compare_exchange_n(&place, &expected, wanted, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

// A count that has reached the largest number stays there.
void count_hash(const void* block, int step) {
  uint8_t& hash = noted_hash_of(block);
  uint8_t count = __atomic_load_n(&hash, __ATOMIC_RELAXED);
  while (count != 255 && !__atomic_compare_exchange_n(&hash, &count, static_cast<uint8_t>(count + step), true,
                                                      __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
  }
}

}  // namespace

uint8_t noted_hashes[4096];

bool note_block(const void* block) {
  has_noted = true;
  for (uint64_t& place : bucket_of(address_of(block)).unlike_pointers)
    if (exchange(place, 0, unlike_pointer(block))) return count_hash(block, 1), true;
  return false;
}

// Blocks of one bucket share the leading bits of their hashes, and so the short hash: it is the bucket's for good.
void note_all_beside(const void* block) {
  static_assert(bucket_bits >= 12);
  __atomic_store_n(&bucket_of(address_of(block)).has_all, 1, __ATOMIC_RELAXED);
  __atomic_store_n(&noted_hash_of(block), 255, __ATOMIC_RELAXED);
}

bool is_noted(const void* block) {
  if (!may_be_noted(block)) return false;
  const Bucket& bucket = bucket_of(address_of(block));
  if (__atomic_load_n(&bucket.has_all, __ATOMIC_RELAXED) != 0) return true;
  for (const uint64_t& place : bucket.unlike_pointers)
    if (__atomic_load_n(&place, __ATOMIC_RELAXED) == unlike_pointer(block)) return true;
  return false;
}

bool forget_block(const void* block) {
  if (!may_be_noted(block)) return false;
  for (uint64_t& place : bucket_of(address_of(block)).unlike_pointers)
    if (exchange(place, unlike_pointer(block), 0)) return count_hash(block, -1), true;
  return false;
}

void forget_all_blocks() {
  if (has_noted) {
    memset(buckets, 0, sizeof buckets);
    memset(noted_hashes, 0, sizeof noted_hashes);
  }
  has_noted = false;
}

}  // namespace culprit::agent
