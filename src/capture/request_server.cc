#include "capture/request_server.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/syscall.h"
#include "capture/moved_entry.h"
#include "capture/snapshot.h"
#include "unwind/process_memory.h"

namespace culprit {

size_t RequestServer::serve() {
  std::vector<SlotRequest> requests = slots_.requests();
  waiting_ = 0;
  for (const SlotRequest& request : requests) {
    std::optional<bool> is_done = answer(request);
    if (!is_done) {
      ++waiting_;
      continue;
    }
    culprit_slot& slot = memory_.slot(request.slot);
    if (load_shared(slot.pid) != request.process->pid) continue;  // freed meanwhile
    store_shared(slot.reply_status, *is_done ? 0 : 1);
    __atomic_store_n(&slot.reply_number, request.number, __ATOMIC_SEQ_CST);
    wake_futex(slot.reply_number);
  }
  return requests.size() - waiting_;
}

std::optional<bool> RequestServer::answer(const SlotRequest& request) {
  WatchedProcess& process = *request.process;
  switch (request.kind) {
    case CULPRIT_REQUEST_HELLO:
      return say_hello(process);
    case CULPRIT_REQUEST_FORKED:
      return true;  // it is known since its slot was recognized
    case CULPRIT_REQUEST_RANGES:
      return tell_ranges(process, request.argument);
    case CULPRIT_REQUEST_STACK:
      return tell_stack(request);
    case CULPRIT_REQUEST_EXITING:
      return let_end(request);
    case CULPRIT_REQUEST_UNMAPPING:
      return forget_code(request);
    case CULPRIT_REQUEST_ENTRY:
      return tell_entry(request);
    default:
      return false;
  }
}

std::optional<bool> RequestServer::let_end(const SlotRequest& request) {
  WatchedProcess& process = *request.process;
  const uint32_t tid = load_shared(memory_.slot(request.slot).tid);
  const bool has_foreign_malloc =
      process.record >= 0 &&
      (load_shared(memory_.process(static_cast<uint32_t>(process.record)).flags) & CULPRIT_PROCESS_FOREIGN_MALLOC) != 0;
  if (may_end_ && !may_end_({process.id, process.pid, tid, request.argument, has_foreign_malloc})) return std::nullopt;
  slots_.drain_process(process);
  process.exit_snapshot = snapshot(process, SnapshotReason::exit, false);
  return process.exit_snapshot;
}

bool RequestServer::say_hello(WatchedProcess& process) {
  if (!images_.is_genuine(process)) {
    shared_.losses.add(LossKind::process_not_followed, 1, process.id,
                       "a process whose id means another one here (pid namespace)");
    return false;
  }
  bool is_first = !process.said_hello && process.birth.change == ProcessChange::launched;
  process.said_hello = true;
  process.watched_from_outside = false;
  if (is_first) {
    process.exec_at = 0;
    shared_.book.refresh_name(process);
  } else {
    const culprit_process& record = memory_.process(static_cast<uint32_t>(process.record));
    shared_.book.executed(process, shared_.clock.time_of(load_shared(record.begin_tsc)));
  }
  process.code = CodeMap();
  if (!images_.read_mappings(process, images_.table_generation(process))) return false;
  images_.build_first_tables(process);
  images_.publish(process, true);
  shared_.book.set_sight(process, Sight::agent, images_.unfit_sites(process));
  return snapshot(process, is_first ? SnapshotReason::start : SnapshotReason::exec, true);
}

bool RequestServer::tell_ranges(WatchedProcess& process, uint64_t pc) {
  bool is_read = images_.read_mappings(process, std::max(images_.table_generation(process), process.code.generation()));
  if (!is_read) return false;
  images_.build_table_at(process, pc);
  images_.publish(process, false);
  return true;
}

bool RequestServer::tell_stack(const SlotRequest& request) {
  auto text = read_whole_file(fmt::format("/proc/{}/maps", request.process->pid));
  if (!text) return false;
  for (const MapsEntry& entry : parse_maps(*text)) {
    if (request.argument < entry.start || request.argument >= entry.end) continue;
    culprit_slot& slot = memory_.slot(request.slot);
    store_shared(slot.reply_start, entry.start);
    store_shared(slot.reply_end, entry.end);
    return true;
  }
  return false;
}

bool RequestServer::forget_code(const SlotRequest& request) {
  WatchedProcess& process = *request.process;
  slots_.drain_process(process);
  process.code.forget(request.argument, request.end, images_.table_generation(process));
  images_.publish(process, false);
  return true;
}

bool RequestServer::tell_entry(const SlotRequest& request) {
  const WatchedProcess& process = *request.process;
  const MappedCode* code = process.code.find(request.argument, process.code.generation());
  if (code == nullptr) return false;
  const uint64_t start = std::max(code->start, request.argument - std::min(request.argument, entry_surroundings));
  const uint64_t end = std::min(code->end, request.argument + entry_surroundings);
  std::vector<std::byte> bytes(end - start);
  if (!ProcessMemory(process.pid).read(start, bytes)) return false;
  auto moved = move_entry(bytes, start, request.argument, request.end);
  if (!moved) return false;
  culprit_slot& slot = memory_.slot(request.slot);
  std::copy(moved->code.begin(), moved->code.end(), reinterpret_cast<std::byte*>(slot.reply_code));
  store_shared(slot.reply_start, moved->replaced);
  return true;
}

bool RequestServer::snapshot(WatchedProcess& process, SnapshotReason reason, bool held) {
  auto table = read_handle_table(process.pid, shared_.tables);
  if (!table) return false;
  table->process = process.id;
  table->reason = reason;
  table->held = held;
  process.last_event = std::max(process.last_event, table->end);
  process.snapshot_cost = table->end - table->begin;
  shared_.events.on_snapshot(*table);
  return true;
}

}  // namespace culprit
