#include "agent/allocation_events.h"

#include "agent/ring.h"
#include "agent/sampling.h"

namespace culprit::agent {

namespace {

culprit_record allocation_record(culprit_record_kind kind, culprit_allocator_function function, const void* block) {
  culprit_record record{};
  record.kind = kind;
  record.call = function;
  record.extra = address_of(block);
  return record;
}

}  // namespace

void write_allocation(const CallSite& caller, const void* block, size_t size, culprit_allocator_function function,
                      uint64_t time) {
  culprit_record record = allocation_record(CULPRIT_RECORD_ALLOCATE, function, block);
  record.tsc = time;
  record.value = static_cast<int32_t>(size);
  record.argument = static_cast<uint32_t>(size >> 32);
  if (is_nested()) return defer(caller, record);
  record.node = capture_stack(*thread.tree, caller);
  if (record.node < first_node) record.node = 0;
  put(record);
}

void write_release(const CallSite& caller, const void* block, culprit_allocator_function function, uint64_t time) {
  culprit_record record = allocation_record(CULPRIT_RECORD_RELEASE, function, block);
  record.tsc = time;
  if (is_nested()) return defer(caller, record);
  put(record);
}

void* allocated(const CallSite& caller, void* block, size_t size, culprit_allocator_function function) {
  if (block == nullptr || !recording()) return block;
  if (is_sampling() && !remember_sampled(block)) return block;
  uint64_t time = tsc();
  in_hook(caller.rsp, [&] { write_allocation(caller, block, size, function, time); });
  return block;
}

void about_to_release(const CallSite& caller, const void* block, culprit_allocator_function function) {
  if (!recording()) return;
  uint64_t time = tsc();
  in_hook(caller.rsp, [&] { write_release(caller, block, function, time); });
}

}  // namespace culprit::agent
