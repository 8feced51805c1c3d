// What stands in front of operator new and delete of an allocator that has its own (entries.h), and the table of all
// functions in front. They are told as malloc and free, which they are with most allocators.
#include "agent/allocation_events.h"
#include "agent/allocation_fronts.h"
#include "agent/allocator.h"
#include "agent/allocator_scope.h"
#include "agent/sampling.h"

namespace culprit::agent {

namespace {

// The forms of operator new: each that throws is followed by the one that does not.
void* real_new[new_front_count];
void* real_delete[delete_front_count];

// Size first, then alignment or nothrow_t in any order: whatever the form, three arguments are handed on.
using New = void* (*)(size_t size, uint64_t second, uint64_t third);
using Delete = void (*)(void* block, uint64_t second, uint64_t third);

// One that throws leaves no way to tidy up behind it: its brother that does not is asked first. `second`: nothrow_t or
// the alignment, `third`: nothrow_t behind that; nobody reads a nothrow_t.
template <uint32_t form>
void* new_front(size_t size, uint64_t second, uint64_t third) {
  constexpr bool throws = form % 2 == 0;
  const uint64_t here = stack_of_caller(CULPRIT_FRAME);
  auto asked_for = reinterpret_cast<New>(real_new[form]);
  auto quiet = reinterpret_cast<New>(real_new[form | 1]);
  if (quiet == nullptr) quiet = asked_for;
  if (inside_allocator(here)) return asked_for(size, second, third);
  void* block = in_allocator(here, [=] { return quiet(size, second, third); });
  if (throws && block == nullptr) return asked_for(size, second, third);
  if (is_sampling() && !is_in_sample(size)) return block;
  return allocated(caller_of(CULPRIT_FRAME), block, size, form < 4 ? CULPRIT_MALLOC : CULPRIT_ALIGNED_ALLOC);
}

template <uint32_t form>
void delete_front(void* block, uint64_t second, uint64_t third) {
  auto real = reinterpret_cast<Delete>(real_delete[form]);
  const uint64_t here = stack_of_caller(CULPRIT_FRAME);
  const bool is_told = block != nullptr && (is_sampling() ? forget_block(block) : !inside_allocator(here));
  if (!is_told) return real(block, second, third);
  about_to_release(caller_of(CULPRIT_FRAME), block, CULPRIT_FREE);
  in_allocator(here, [=] { return real(block, second, third), 0; });
}

template <typename Function>
const void* code_of(Function* function) {
  return reinterpret_cast<const void*>(function);
}

template <typename Function>
void** place_of(Function*& real) {
  return reinterpret_cast<void**>(&real);
}

}  // namespace

extern "C" {
void* culprit_malloc(size_t);
void* culprit_calloc(size_t, size_t);
void* culprit_realloc(void*, size_t);
void* culprit_memalign(size_t, size_t);
void* culprit_aligned_alloc(size_t, size_t);
int culprit_posix_memalign(void**, size_t, size_t);
void* culprit_valloc(size_t);
void* culprit_pvalloc(size_t);
void culprit_free(void*);
}

const Front* all_fronts() {
#define NEW(name, form) \
  { name, code_of(new_front<form>), &real_new[form] }
#define DELETE(name, form) \
  { name, code_of(delete_front<form>), &real_delete[form] }
  static const Front fronts[front_count] = {
      {"malloc", code_of(culprit_malloc), place_of(allocator.malloc)},
      {"free", code_of(culprit_free), place_of(allocator.free)},
      {"calloc", code_of(culprit_calloc), place_of(allocator.calloc)},
      {"realloc", code_of(culprit_realloc), place_of(allocator.realloc)},
      {"memalign", code_of(culprit_memalign), place_of(allocator.memalign)},
      {"aligned_alloc", code_of(culprit_aligned_alloc), place_of(allocator.aligned_alloc)},
      {"posix_memalign", code_of(culprit_posix_memalign), place_of(allocator.posix_memalign)},
      {"valloc", code_of(culprit_valloc), place_of(allocator.valloc)},
      {"pvalloc", code_of(culprit_pvalloc), place_of(allocator.pvalloc)},
      NEW("_Znwm", 0),
      NEW("_ZnwmRKSt9nothrow_t", 1),
      NEW("_Znam", 2),
      NEW("_ZnamRKSt9nothrow_t", 3),
      NEW("_ZnwmSt11align_val_t", 4),
      NEW("_ZnwmSt11align_val_tRKSt9nothrow_t", 5),
      NEW("_ZnamSt11align_val_t", 6),
      NEW("_ZnamSt11align_val_tRKSt9nothrow_t", 7),
      DELETE("_ZdlPv", 0),
      DELETE("_ZdaPv", 1),
      DELETE("_ZdlPvm", 2),
      DELETE("_ZdaPvm", 3),
      DELETE("_ZdlPvRKSt9nothrow_t", 4),
      DELETE("_ZdaPvRKSt9nothrow_t", 5),
      DELETE("_ZdlPvSt11align_val_t", 6),
      DELETE("_ZdaPvSt11align_val_t", 7),
      DELETE("_ZdlPvmSt11align_val_t", 8),
      DELETE("_ZdaPvmSt11align_val_t", 9),
      DELETE("_ZdlPvSt11align_val_tRKSt9nothrow_t", 10),
      DELETE("_ZdaPvSt11align_val_tRKSt9nothrow_t", 11),
  };
#undef NEW
#undef DELETE
  return fronts;
}

}  // namespace culprit::agent
