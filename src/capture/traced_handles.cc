#include "capture/traced_handles.h"

#include <fmt/core.h>
#include <sys/mman.h>

#include <algorithm>

#include "base/syscall.h"
#include "capture/handle_calls.h"
#include "capture/ptrace_requests.h"

namespace culprit {
namespace {

constexpr size_t name_limit = 4096;
constexpr uint32_t add_handle_request = 0x40182103;  // SECCOMP_IOCTL_NOTIF_ADDFD
constexpr size_t name_slice = 256;                   // most names, and all structs that are looked at, are shorter

bool has_failed(int64_t result) { return result < 0 && result >= -4095; }

std::string name_of_thread(uint32_t tid) {
  auto text = read_whole_file(fmt::format("/proc/{}/comm", tid), 64);
  if (!text) return "";
  while (!text->empty() && text->back() == '\n') text->pop_back();
  return *text;
}

bool overlaps_known_code(const CodeMap& code, uint64_t start, uint64_t length) {
  return std::ranges::any_of(
      code.newest(), [&](const MappedCode& piece) { return piece.start < start + length && start < piece.end; });
}

}  // namespace

StackId TracedHandles::stack_of(Tracee& thread) {
  auto registers = tracing::registers(thread.tid);
  if (!registers) return StackId::none;
  TraceeStacks::Stack stack = stacks_.take(*thread.process, thread.tid, *registers);
  if (stack.id == StackId::none) losses_.add(LossKind::stack_missing, 1, thread.process->book->id);
  if (stack.is_truncated) losses_.add(LossKind::stack_truncated, 1, thread.process->book->id);
  return stack.id;
}

HandleEvent TracedHandles::new_event(Tracee& thread, HandleAction action, Time time) {
  uint64_t number = thread.call.number;
  HandleEvent event;
  event.time = time;
  event.process = thread.process->book->id;
  event.tid = thread.tid;
  event.action = action;
  event.call = calls_.of(static_cast<uint16_t>(number), extra_of(number, thread.call.arguments)).call;
  return event;
}

void TracedHandles::hand_on(Tracee& thread, const HandleEvent& event) {
  TracedProcess& process = *thread.process;
  if (!thread.is_named) {
    thread.is_named = true;
    events_.on_thread({event.time, event.process, thread.tid, tables_.intern(name_of_thread(thread.tid))});
  }
  auto first = static_cast<int32_t>(event.value), other = static_cast<int32_t>(event.other);
  TracedTable& table = *process.table;
  bool is_close = event.action == HandleAction::close || event.action == HandleAction::close_range;
  bool is_copy = event.action == HandleAction::duplicate && table.fanotify.contains(other);
  if (is_close && !table.doubtful.empty()) settle(process, INT64_MAX);
  table.note(first, event.action == HandleAction::close_range ? other : first, !is_close);
  if (is_copy || traced_call(thread.call.number).kind == CallKind::fanotify) table.fanotify.insert(first);
  process.book->last_event = std::max(process.book->last_event, event.time);
  events_.on_handle(event);
}

// Told when it is done, stamped when it began: what another thread makes of the number meanwhile is later.
void TracedHandles::close(Tracee& thread) {
  auto closed = closed_by(thread.call.number, thread.call.arguments);
  if (!closed || thread.has_own_table) return;
  bool is_range = traced_call(thread.call.number).kind == CallKind::close_range;
  HandleEvent event =
      new_event(thread, is_range ? HandleAction::close_range : HandleAction::close, thread.call.entered);
  event.value = closed->first;
  if (is_range) event.other = closed->last;
  event.stack = stack_of(thread);
  hand_on(thread, event);
}

void TracedHandles::on_end_of_sight(Tracee& thread, bool is_ending) {
  CallKind kind = traced_call(thread.call.number).kind;
  bool was_closing = thread.call.is_valid && (kind == CallKind::close || kind == CallKind::close_range);
  auto closed = was_closing ? closed_by(thread.call.number, thread.call.arguments) : std::nullopt;
  // A thread that is killed at the entry of a call does not make it.
  bool is_done = !is_ending || (closed && !is_open(thread.tid, closed->first));
  if (closed && is_done) close(thread);
  thread.call.is_valid = false;
}

void TracedHandles::note_unshare(Tracee& thread) {
  if (!unshares_table(thread.call.number, thread.call.arguments)) return;
  TracedProcess& process = *thread.process;
  if (process.threads <= 1 && process.table.use_count() > 1)
    process.table = std::make_shared<TracedTable>(*process.table);
  if (process.threads <= 1 || thread.has_own_table) return;
  thread.has_own_table = true;
  losses_.add(LossKind::table_not_checked, 1, thread.process->book->id,
              fmt::format("thread {} got a handle table of its own", thread.tid));
}

void TracedHandles::on_entry(Tracee& thread) {
  if (!thread.process->table->doubtful.empty()) settle(*thread.process, thread.call.entered);
  switch (traced_call(thread.call.number).kind) {
    case CallKind::close_range:
    case CallKind::unshare:
      return note_unshare(thread);
    case CallKind::io_uring:
      return begin_to_compare(thread);
    default:
      return;
  }
}

// mmap, mprotect: address, length, protection. munmap, mremap: address, length.
void TracedHandles::note_code(Tracee& thread, CallKind kind, int64_t result) {
  const CallArguments& arguments = thread.call.arguments;
  TracedProcess& process = *thread.process;
  bool makes_code = kind == CallKind::map && (arguments[2] & PROT_EXEC) != 0;
  if (makes_code) process.code_grew = true;
  uint64_t start = kind == CallKind::map ? static_cast<uint64_t>(result) : arguments[0];
  bool is_new_mapping = kind == CallKind::unmap || result != 0;  // mprotect gives 0
  if (is_new_mapping && overlaps_known_code(process.book->code, start, arguments[1])) process.code_changed = true;
}

void TracedHandles::on_exit(Tracee& thread, int64_t result, Time now) {
  CallKind kind = traced_call(thread.call.number).kind;
  if (kind == CallKind::io_uring) return compare(thread, now);
  if (kind == CallKind::close || (kind == CallKind::close_range && !has_failed(result))) return close(thread);
  if (has_failed(result)) return;
  if (kind == CallKind::ioctl && static_cast<uint32_t>(thread.call.arguments[1]) == add_handle_request) answers_++;
  look_for_answers(thread, now);
  switch (kind) {
    case CallKind::other:
    case CallKind::close_range:
    case CallKind::unshare:
    case CallKind::exec:
    case CallKind::trace:
      return;
    case CallKind::map:
    case CallKind::unmap:
      return note_code(thread, kind, result);
    case CallKind::read:
      if (!thread.process->table->fanotify.contains(static_cast<int32_t>(thread.call.arguments[0]))) return;
      break;
    default:
      break;
  }
  make(thread, result, now);
}

void TracedHandles::make(Tracee& thread, int64_t result, Time now) {
  if (thread.has_own_table) return;
  ProcessMemory memory(thread.tid, name_slice);
  std::vector<MadeHandle> made = made_by(thread.call.number, thread.call.arguments, result, memory);
  if (made.empty()) return;
  if (traced_call(thread.call.number).kind == CallKind::seccomp) {
    begin_to_compare(thread);
    thread.process->has_listener = true;
  }
  StackId stack = thread.call.stack != StackId::none ? thread.call.stack : stack_of(thread);
  for (const MadeHandle& handle : made) {
    HandleEvent event = new_event(thread, handle.action, now);
    event.value = handle.value;
    event.stack = stack;
    if (handle.action == HandleAction::duplicate) event.other = handle.other;
    if (handle.action == HandleAction::open) describe(thread, event);
    hand_on(thread, event);
  }
}

void TracedHandles::describe(const Tracee& thread, HandleEvent& event) {
  const CallInProgress& call = thread.call;
  const CallNames::Entry& entry = calls_.of(static_cast<uint16_t>(call.number), extra_of(call.number, call.arguments));
  event.type = entry.type;
  event.name = entry.name;
  int8_t path = traced_call(call.number).path;
  if (path < 0) return;
  ProcessMemory memory(thread.tid, name_slice);
  auto name = read_text(memory, call.arguments[static_cast<size_t>(path)], name_limit);
  if (!name) return;
  if (name->is_cut) losses_.add(LossKind::name_truncated, 1, event.process);
  if (!name->text.empty()) event.name = tables_.intern(name->text);
  event.type = tables_.intern(type_by_path(name->text, tables_.text(entry.type)));
}

}  // namespace culprit
