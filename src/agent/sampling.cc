#include "agent/sampling.h"

#include "agent/allocator.h"
#include "agent/raw_syscall.h"
#include "agent/ring.h"
#include "agent/sample_gap.h"

namespace culprit::agent {

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
  if (note_block(block)) return true;
  if (thread.slot != nullptr) count_lost(CULPRIT_LOST_SAMPLE);
  return false;
}

}  // namespace culprit::agent
