#include "agent/sampling.h"

#include "agent/allocator.h"
#include "agent/raw_syscall.h"
#include "agent/ring.h"
#include "agent/sample_gap.h"

namespace culprit::agent {

namespace {

// The sampled blocks, each in the one bucket of its own, as the complements of their addresses: who looks in this memory
// for pointers to blocks (at exit, `heap PID --unreachable`) shall not find these.
constexpr uint32_t bucket_bits = 15, bucket_size = 8;
struct alignas(64) Bucket {
  uint64_t unlike_pointers[bucket_size];  // 0: free
};
Bucket buckets[1u << bucket_bits];

Bucket& bucket_of(uint64_t address) { return buckets[address * 0x9e3779b97f4a7c15ull >> (64 - bucket_bits)]; }

uint64_t unlike_pointer(const void* block) { return ~address_of(block); }

bool exchange(uint64_t& place, uint64_t expected, uint64_t wanted) {
  return __atomic_load_n(&place, __ATOMIC_RELAXED) == expected &&
         __atomic_compare_exchange_n(&place, &expected, wanted, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

// A count that has reached the largest number stays there.
void count_hash(const void* block, int step) {
  uint8_t& hash = sampled_hash_of(block);
  uint8_t count = __atomic_load_n(&hash, __ATOMIC_RELAXED);
  while (count != 255 && !__atomic_compare_exchange_n(&hash, &count, static_cast<uint8_t>(count + step), true,
                                                      __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
  }
}

}  // namespace

uint8_t sampled_hashes[4096];
bool passes_quickly;

void choose_way_of_sampling() { passes_quickly = is_sampling() && is_allocator_of_libc(); }

bool sample_at_end_of_gap(size_t size) {
  bool has_begun = thread.random_state != 0;
  if (!has_begun) {
    uint64_t thread_number = __atomic_add_fetch(&process.sampling_threads, 1, __ATOMIC_RELAXED);
    thread.random_state = process.session->session_id ^ (thread_number << 32) ^ process.pid;
    thread.random_state |= 1;
  }
  auto gap = static_cast<int64_t>(sample_gap(next_random(thread.random_state), process.sample_bytes));
  thread.until_sample = gap + 1;
  if (has_begun) return true;
  thread.until_sample -= static_cast<int64_t>(size < 1 ? 1 : size);
  if (thread.until_sample > 0) return false;
  return sample_at_end_of_gap(size);
}

bool remember_sampled(const void* block) {
  for (uint64_t& place : bucket_of(address_of(block)).unlike_pointers)
    if (exchange(place, 0, unlike_pointer(block))) return count_hash(block, 1), true;
  if (thread.slot != nullptr) count_lost(CULPRIT_LOST_SAMPLE);
  return false;
}

bool forget_sampled(const void* block) {
  if (!may_be_sampled(block)) return false;
  for (uint64_t& place : bucket_of(address_of(block)).unlike_pointers)
    if (exchange(place, unlike_pointer(block), 0)) return count_hash(block, -1), true;
  return false;
}

}  // namespace culprit::agent
