#include "capture/traced_tree.h"

#include <fmt/core.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/syscall.h"
#include "capture/ptrace_requests.h"
#include "capture/snapshot.h"
#include "capture/traced_exec.h"
#include "capture/tsc_clock.h"
#include "format/process_status.h"
#include "model/signals.h"

namespace culprit {
namespace {

constexpr size_t fork_flags_bytes = 16;  // of clone3's arguments, what is looked at

// Where a signal that the program cannot put off is blocked or ignored, the kernel has set its default action by now.
bool dies_of(uint32_t pid, int signal) {
  auto text = read_whole_file(fmt::format("/proc/{}/status", pid));
  auto signals = text ? parse_signal_sets(*text) : std::nullopt;
  uint64_t mask = uint64_t{1} << (signal - 1);
  return makes_core(signal) && signals && ((signals->caught | signals->ignored) & mask) == 0;
}

}  // namespace

Tracee& TracedTree::add_thread(uint32_t tid, TracedProcess* process) {
  Tracee& thread = threads_[tid];
  thread.tid = tid;
  if (thread.process == nullptr && process != nullptr) {
    thread.process = process;
    process->threads++;
  }
  return thread;
}

void TracedTree::remove_thread(uint32_t tid) {
  auto found = threads_.find(tid);
  if (found == threads_.end()) return;
  if (TracedProcess* process = found->second.process) {
    process->threads--;
    process->exiting -= found->second.is_exiting ? 1 : 0;
    if (process->is_leaving && process->threads == 0) processes_.erase(process->book->pid);
  }
  threads_.erase(found);
  go_on_waiting();
}

bool TracedTree::is_free(const Tracee& thread) const {
  auto found = processes_.find(thread.waits_for);
  if (found == processes_.end() || !found->second->is_leaving) return true;
  size_t own = thread.process == found->second.get() ? 1 : 0;
  return found->second->threads <= own;
}

void TracedTree::go_on_waiting() {
  for (auto& [tid, thread] : threads_) {
    if (thread.waits_for == 0 || !thread.is_stopped || !is_free(thread)) continue;
    thread.waits_for = 0;
    if (!is_holding_) go_on(thread);
    return go_on_waiting();  // it may have been let go
  }
}

TracedProcess& TracedTree::add_process(WatchedProcess& book) {
  auto& process = processes_[book.pid];
  if (process != nullptr && process->book == &book) return *process;
  process = std::make_unique<TracedProcess>();
  process->book = &book;
  return *process;
}

void TracedTree::snapshot(TracedProcess& process, uint32_t tid, SnapshotReason reason, bool is_held) {
  handles_.settle(process, INT64_MAX);
  auto table = read_handle_table(tid, tables_);
  if (!table) return;
  table->process = process.book->id;
  table->reason = reason;
  table->held = is_held;
  for (const SnapshotEntry& entry : table->entries) {
    bool is_fanotify = tables_.text(entry.type) == handle_type::fanotify;
    if (is_fanotify) process.table->fanotify.insert(static_cast<int32_t>(entry.value));
  }
  out_.on_snapshot(*table);
}

void TracedTree::hand_on_losses() {
  uint64_t refused = tables_.strings.refused() + tables_.stacks.refused();
  losses_.add(LossKind::memory_limit, refused - std::exchange(told_refused_, refused), ProcessId::none,
              "names and frames of stacks");
  losses_.hand_on(out_);
}

void TracedTree::take_snapshots(SnapshotReason reason) {
  for (auto& [pid, process] : processes_) {
    if (!process->is_leaving) snapshot(*process, pid, reason, false);
  }
}

bool TracedTree::poll() {
  int status = 0;
  pid_t tid = waitpid(-1, &status, __WALL | WNOHANG | wait_option_);
  if (tid <= 0) return false;
  on_change(static_cast<uint32_t>(tid), status);
  return true;
}

void TracedTree::on_change(uint32_t tid, int status) {
  Time now = monotonic_now();
  if (!WIFSTOPPED(status)) return on_end(tid, status, now);
  Tracee& thread = add_thread(tid, nullptr);
  thread.is_stopped = true;
  thread.is_listening = thread.is_at_entry = false;
  thread.signal = 0;
  on_stop(thread, status, now);
}

// May remove the thread.
void TracedTree::on_stop(Tracee& thread, int status, Time now) {
  int signal = WSTOPSIG(status);
  uint32_t tid = thread.tid;
  switch (status >> 16) {
    case 0:
      if (signal != (SIGTRAP | 0x80)) {
        on_signal(thread, signal);
        break;
      }
      on_call(thread, now);
      break;
    case PTRACE_EVENT_STOP:
      on_interrupted(thread, signal);
      break;
    case PTRACE_EVENT_FORK:
    case PTRACE_EVENT_VFORK:
    case PTRACE_EVENT_CLONE:
      on_fork(thread, now);
      break;
    case PTRACE_EVENT_EXEC:
      on_exec(thread, now);
      break;
    case PTRACE_EVENT_EXIT:
      on_exiting(thread);
      break;
    default:
      break;
  }
  auto found = threads_.find(tid);
  if (found == threads_.end() || !found->second.is_stopped) return;
  // Who was asked to stop has to stop behind the call: if it were let go before, the call would begin with the wish to
  // be interrupted, and fail with EINTR.
  bool has_to_pass = found->second.is_at_entry && found->second.is_interrupted;
  if (has_to_pass) return run_on(found->second);
  if (is_holding_) return;
  go_on(found->second);
  longest_stop_ = std::max(longest_stop_, monotonic_now() - now);
}

void TracedTree::go_on(Tracee& thread) {
  if (thread.process == nullptr && thread.tid != awaited_.pid) return;  // its parent is about to tell
  if (thread.waits_for != 0 && !is_free(thread)) return;
  thread.waits_for = 0;
  if (thread.process != nullptr && thread.process->is_leaving) return let_go(thread);
  run_on(thread);
}

void TracedTree::run_on(Tracee& thread) {
  thread.is_stopped = false;
  if (thread.is_listening) return tracing::listen(thread.tid);
  tracing::go_on(thread.tid, std::exchange(thread.signal, 0));
}

void TracedTree::on_interrupted(Tracee& thread, int signal) {
  thread.is_listening = signal != SIGTRAP;
  if (std::exchange(thread.is_interrupted, false)) tracing::mend_interrupted_call(thread.tid);
}

// About to be delivered. May remove the thread.
void TracedTree::on_signal(Tracee& thread, int signal) {
  thread.signal = signal;
  if (!watch_death_ || thread.process == nullptr || !dies_of(thread.process->book->pid, signal)) return;
  dying_.push_back(thread.tid);
  if (!is_holding_) look_at_deaths(thread.tid);  // else who holds them all does
}

// Nobody runs meanwhile. More may come to their death before all stand.
void TracedTree::look_at_deaths(uint32_t asking) {
  stop_all();
  for (uint32_t tid : std::exchange(dying_, {})) {
    auto found = threads_.find(tid);
    auto end = tracing::signal_info(tid);
    if (found != threads_.end() && end) look_at_death(found->second, *end);
  }
  is_holding_ = false;
  for (Tracee* thread : stopped_threads())
    if (thread->tid != asking) go_on(*thread);
}

void TracedTree::look_at_death(const Tracee& thread, const siginfo_t& end) {
  auto registers = tracing::registers(thread.tid);
  if (thread.process == nullptr || thread.process->has_page || !registers || tracing::is_32_bit(*registers)) return;
  thread.process->has_page = true;
  Death death{.pid = thread.process->book->pid, .tid = thread.tid, .registers = std::bit_cast<Registers>(*registers)};
  static_assert(sizeof death.info == sizeof end);
  memcpy(death.info.data(), &end, sizeof end);
  death.others.emplace();
  for (const auto& [tid, other] : threads_) {
    if (other.process != thread.process || !other.is_stopped || tid == thread.tid) continue;
    if (auto held = tracing::registers(tid)) death.others->push_back({tid, std::bit_cast<Registers>(*held)});
  }
  watch_death_(death);
}

void TracedTree::on_call(Tracee& thread, Time now) {
  auto stop = tracing::call_stop(thread.tid);
  if (!stop || thread.process == nullptr || !stop->is_64_bit) return;
  if (stop->at == tracing::CallStop::At::exit) {
    if (std::exchange(thread.call.is_valid, false)) handles_.on_exit(thread, stop->result, now);
    if (std::exchange(thread.is_interrupted, false)) tracing::mend_interrupted_call(thread.tid);
    return;
  }
  thread.call = {true, stop->number, stop->arguments, now, StackId::none};
  thread.is_at_entry = true;
  on_entry(thread);
}

void TracedTree::on_entry(Tracee& thread) {
  switch (traced_call(thread.call.number).kind) {
    case CallKind::fork: {
      ProcessMemory memory(thread.tid, fork_flags_bytes);
      ForkFlags flags = fork_flags(thread.call.number, thread.call.arguments, memory);
      if (flags.is_untraced) return let_go(*thread.process, thread, "it made a process that nobody may trace");
      if (!flags.is_thread) thread.call.stack = handles_.stack_of(thread);
      break;
    }
    case CallKind::exec:
      if (would_lose_rights(thread.tid, thread.call))
        return let_go(*thread.process, thread, "it executed a program with rights that it would not get while traced");
      thread.call.stack = handles_.stack_of(thread);
      break;
    case CallKind::trace:
      return on_trace_request(thread);
    default:
      handles_.on_entry(thread);
  }
}

// Only one can trace a thread: whoever is wanted by another is let go first.
void TracedTree::on_trace_request(Tracee& thread) {
  constexpr uint64_t trace_me = 0, attach = 16, seize = 0x4206;
  uint64_t request = thread.call.arguments[0];
  if (request == trace_me) return let_go(*thread.process, thread, "it let itself be traced by its parent");
  if (request != attach && request != seize) return;
  auto target = threads_.find(static_cast<uint32_t>(thread.call.arguments[1]));
  if (target != threads_.end() && target->second.process != nullptr)
    let_go(*target->second.process, thread, "another process of the tree traced it");
}

void TracedTree::on_fork(Tracee& thread, Time now) {
  if (thread.process == nullptr) return;
  auto child = static_cast<uint32_t>(tracing::event_message(thread.tid));
  if (child == 0) return;
  ProcessMemory memory(thread.tid, fork_flags_bytes);
  ForkFlags flags;
  if (thread.call.is_valid) flags = fork_flags(thread.call.number, thread.call.arguments, memory);
  TracedProcess* process = thread.process;
  if (!flags.is_thread) {
    WatchedProcess& parent = *thread.process->book;
    book_.forked(child, parent, now, flags.shares_table, thread.tid, thread.call.stack);
    WatchedProcess* book = book_.find(child);
    if (book == nullptr) return;
    process = &add_process(*book);
    process->code_changed = thread.process->code_changed;
    process->code_grew = thread.process->code_grew;
    process->has_listener = thread.process->has_listener;
    process->known_answers = thread.process->known_answers;
    process->table = flags.shares_table ? thread.process->table : std::make_shared<TracedTable>(*thread.process->table);
    book_.set_sight(*book, Sight::ptrace, "");
    out_.process_changed(book->id);
  }
  Tracee& added = add_thread(child, process);
  if (added.is_stopped && !is_holding_) go_on(added);
}

void TracedTree::on_end(uint32_t tid, int status, Time now) {
  remove_thread(tid);
  WatchedProcess* book = book_.find(tid);
  if (tid == first_pid_) first_status_ = status;
  if (book != nullptr) {
    if (auto found = processes_.find(tid); found != processes_.end()) handles_.settle(*found->second, INT64_MAX);
    book->wait_status = status;
    book_.ended(*book, now);
    processes_.erase(tid);
  }
  find_parents();
}

}  // namespace culprit
