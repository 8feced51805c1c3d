// The agent's beginning, before any other constructor of the process (see initfirst in CMakeLists.txt): find the
// session, hide that it was ever mentioned, say hello, patch.
#include "agent/allocator.h"
#include "agent/death.h"
#include "agent/entries.h"
#include "agent/memory.h"
#include "agent/patch.h"
#include "agent/process.h"
#include "agent/raw_syscall.h"
#include "agent/sampling.h"
#include "agent/session.h"
#include "agent/thread.h"
#include "agent/wrappers.h"

namespace culprit::agent {

extern "C" __attribute__((constructor, visibility("hidden"))) void culprit_start(int, char**, char** environment) {
  SessionText text;
  if (!take_session_from(environment, text, !wrapping())) return;
  if (!wrapping()) hide_preload_from(environment);
  if (!open_session(text)) return;
  if (!recording() || !watch_for_forks()) return close_session();
  process.epoch = 1;
  process.pid = static_cast<uint32_t>(raw_syscall(__NR_getpid));
  if (!claim_process_record(0, tsc()) || !ensure_slot()) return;
  if (wrapping()) {
    find_wrapped_functions();
    process.record->flags |= CULPRIT_PROCESS_WRAPPERS;
  }
  if (!request(CULPRIT_REQUEST_HELLO, 0) || wrapping()) return;
  patch_libraries();
  if (stands_before_allocator() && !follow_own_allocator()) process.record->flags |= CULPRIT_PROCESS_OWN_ALLOCATOR;
  if (stands_before_foreign_malloc()) process.record->flags |= CULPRIT_PROCESS_FOREIGN_MALLOC;
  if (stands_before_allocator()) choose_way_of_sampling();
  watch_for_death();
}

// Where libc is not patched, its exit is not seen; this runs at the end of exit().
extern "C" __attribute__((destructor, visibility("hidden"))) void culprit_finish() {
  if (wrapping() && recording() && process.record != nullptr && ensure_slot()) request(CULPRIT_REQUEST_EXITING, 0);
}

}  // namespace culprit::agent
