// links: format
#include "format/pthread_lock.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace culprit;
  const Bytes bytes(reinterpret_cast<const std::byte*>(data), size);
  if (auto mutex = read_pthread_mutex(bytes))
    if (mutex->owner > futex_tid_mask || (mutex->state == MutexState::unlocked && mutex->owner != 0)) __builtin_trap();
  if (auto lock = read_pthread_rwlock(bytes))
    if (lock->writer != 0 && lock->readers != 0) __builtin_trap();
  if (auto barrier = read_pthread_barrier(bytes))
    if (barrier->arrived > barrier->needed) __builtin_trap();
  for (CondLayout layout : {CondLayout::until_2_40, CondLayout::from_2_41})
    if (auto cond = read_pthread_cond(bytes, layout))
      if (cond->waiters == 0) __builtin_trap();
  read_pthread_semaphore(bytes);
  read_stream_lock(bytes);
  return 0;
}
