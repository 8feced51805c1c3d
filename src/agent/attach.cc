// The agent's beginning in a process that runs already: called by the collector on a borrowed thread, between any two
// instructions of the program, while the other threads run. Of libc dlsym() alone; what goes wrong is told.
#include "agent/heap_gate.h"
#include "agent/made_hooks.h"
#include "agent/memory.h"
#include "agent/patch.h"
#include "agent/process.h"
#include "agent/raw_syscall.h"
#include "agent/rules.h"
#include "agent/session.h"
#include "agent/stacks.h"
#include "agent/stubs.h"

namespace culprit::agent {

namespace {

// The library may have been left behind by an earlier session. Nobody is inside it now.
void begin_anew() {
  uint32_t epoch = process.epoch + 1;
  memset(&process, 0, sizeof process);
  process.epoch = epoch;
  forget_rules();
  forget_stacks(0, ~uint64_t{0});
  forget_stubs();
  forget_gate();
}

// The record that the collector claimed for this process.
bool take_process_record(uint32_t index) {
  if (index >= CULPRIT_PROCESS_COUNT) return false;
  auto* records = reinterpret_cast<culprit_process*>(process.base + process.session->processes_offset);
  culprit_process& record = records[index];
  bool is_mine = record.state == CULPRIT_PROCESS_LIVE && record.pid == process.pid &&
                 (record.flags & CULPRIT_PROCESS_ATTACHED) != 0;
  if (!is_mine) return false;
  process.record = &record;
  process.record_index = index;
  return true;
}

culprit_attach_result attach_to(culprit_attach& attach) {
  begin_anew();
  open_gate(attach);
  SessionText text;
  if (!take_session_value(attach.session, text) || !open_session(text)) return CULPRIT_ATTACH_NO_SESSION;
  process.pid = static_cast<uint32_t>(raw_syscall(__NR_getpid));
  if (!take_process_record(attach.record) || !watch_for_forks()) return CULPRIT_ATTACH_NO_RECORD;
  for (uint32_t i = 0; i < attach.fanotify_count && i < 8; ++i) note_fanotify(attach.fanotify[i]);
  if (prepare_jumps(attach)) return CULPRIT_ATTACH_DONE;
  attach.error = process.record->patch_error;
  return CULPRIT_ATTACH_NO_STUBS;
}

}  // namespace

extern "C" __attribute__((visibility("default"))) void culprit_attach(culprit_attach* attach) {
  // First of all: it may have to wait for the loader's lock, and only who has done nothing yet can be made to give up.
  find_allocator_of_program(attach->allocator);
  attach->jump_count = 0;
  attach->result = attach_to(*attach);
  if (attach->result != CULPRIT_ATTACH_DONE) process.base = nullptr;
}

extern "C" __attribute__((visibility("default"))) void culprit_call(culprit_call* call) {
  auto* function = reinterpret_cast<uint64_t (*)(uint64_t, uint64_t)>(call->function);
  call->result = function(call->arguments[0], call->arguments[1]);
}

}  // namespace culprit::agent
