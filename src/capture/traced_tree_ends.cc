// The part of TracedTree in which processes begin and end: to be traced, to run a program, to run at all.
#include <fmt/core.h>
#include <linux/audit.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>

#include <algorithm>
#include <bit>

#include "base/syscall.h"
#include "capture/program_examination.h"
#include "capture/ptrace_requests.h"
#include "capture/traced_tree.h"
#include "capture/tsc_clock.h"
#include "format/procfs.h"
#include "target/ptrace_threads.h"

namespace culprit {
namespace {

constexpr Time stop_patience =
    1'000'000'000;  // a thread in an uninterruptible call may take longer, and is not waited for
constexpr timespec between_looks{0, 50'000};

// 32-bit programs have other system calls.
Result<void> check_program(uint32_t pid) {
  ProgramExamination program = examine_program(fmt::format("/proc/{}/exe", pid));
  if (program.kind != ProgramKind::other_word_size && program.kind != ProgramKind::other_machine) return {};
  return fail(ErrorKind::unsupported,
              fmt::format("process {} runs {}: culprit does not know its system calls", pid, program.what));
}

// As the kernel's core would have it (force_sig_seccomp in kernel/signal.c): the call stands in the registers.
siginfo_t end_by_filter(uint32_t tid) {
  constexpr int by_filter = 1;  // SYS_SECCOMP (asm-generic/siginfo.h), which not every libc has
  siginfo_t end{};
  end.si_signo = SIGSYS;
  end.si_code = by_filter;
  auto registers = tracing::registers(tid);
  if (!registers) return end;
  end.si_call_addr = std::bit_cast<void*>(registers->rip);
  end.si_syscall = static_cast<int>(registers->orig_rax);
  end.si_arch = AUDIT_ARCH_X86_64;
  return end;
}

}  // namespace

WatchedProcess& TracedTree::introduce(uint32_t pid, Time time, const std::string& why) {
  WatchedProcess& book = book_.launched(pid, time);
  book_.set_sight(book, Sight::ptrace, why);
  out_.process_changed(book.id);
  first_pid_ = pid;
  return book;
}

// Threads that come meanwhile are either seized in the next round, or come of threads that are seized already.
Result<void> TracedTree::seize_threads(TracedProcess& process) {
  uint32_t pid = process.book->pid;
  for (bool found_new = true; found_new;) {
    found_new = false;
    for (uint32_t tid : threads_of(pid)) {
      if (threads_.contains(tid)) continue;
      int error = tracing::seize(tid);
      if (error == ESRCH) continue;  // it has just ended
      if (error != 0) return tl::unexpected<Error>(why_not_traceable(pid, error));
      add_thread(tid, &process);
      found_new = true;
    }
  }
  if (process.threads == 0) return fail(ErrorKind::gone, fmt::format("process {} has just ended", pid));
  return {};
}

bool TracedTree::all_stopped() const {
  return std::ranges::all_of(threads_,
                             [](const auto& entry) { return entry.second.is_stopped || entry.second.is_exiting; });
}

std::vector<Tracee*> TracedTree::stopped_threads() {
  std::vector<Tracee*> stopped;
  for (auto& [tid, thread] : threads_) {
    if (thread.is_stopped) stopped.push_back(&thread);
  }
  return stopped;
}

void TracedTree::stop_all() {
  is_holding_ = true;
  for (auto& [tid, thread] : threads_) {
    if (thread.is_stopped || thread.is_exiting) continue;
    thread.is_interrupted = true;
    tracing::interrupt(tid);
  }
  Time patience_ends = monotonic_now() + stop_patience;
  while (!all_stopped() && monotonic_now() < patience_ends) {
    if (!poll()) nanosleep(&between_looks, nullptr);
  }
}

Result<void> TracedTree::attach(uint32_t pid, const std::string& why) {
  CULPRIT_TRY(check_program(pid));
  TracedProcess& process = add_process(introduce(pid, monotonic_now(), why));
  stacks_.read_code(process, pid);
  stacks_.build_tables(process);
  if (auto seized = seize_threads(process); !seized) {
    release();
    return seized;
  }
  Time begin = monotonic_now();
  stop_all();
  if (processes_.contains(pid)) snapshot(process, pid, SnapshotReason::start, all_stopped());
  is_holding_ = false;
  for (Tracee* thread : stopped_threads()) go_on(*thread);
  longest_stop_ = std::max(longest_stop_, monotonic_now() - begin);
  return {};
}

Result<void> TracedTree::adopt(uint32_t pid, Time started, const std::string& why) {
  if (int error = tracing::seize(pid); error != 0) return tl::unexpected<Error>(why_not_traceable(pid, error));
  awaited_ = {pid, started, why};
  add_thread(pid, nullptr);
  return {};
}

void TracedTree::on_first_exec(Tracee& thread) {
  TracedProcess& process = add_process(introduce(thread.tid, awaited_.started, awaited_.why));
  awaited_.pid = 0;
  thread.process = &process;
  process.threads = 1;
  snapshot(process, thread.tid, SnapshotReason::start, true);
}

void TracedTree::on_exec(Tracee& thread, Time now) {
  if (thread.tid == awaited_.pid) {
    on_first_exec(thread);
  } else if (thread.process != nullptr) {
    on_next_exec(thread, now);
  }
  auto registers = tracing::registers(thread.tid);
  if (thread.process != nullptr && registers && tracing::is_32_bit(*registers))
    let_go(*thread.process, thread, "it executed a 32-bit program, whose calls culprit does not know");
}

void TracedTree::on_next_exec(Tracee& thread, Time now) {
  TracedProcess& process = *thread.process;
  auto former = threads_.find(static_cast<uint32_t>(tracing::event_message(thread.tid)));
  const Tracee& executed = former != threads_.end() ? former->second : thread;
  process.book->exec_tid = executed.tid;
  process.book->exec_stack = executed.call.stack;
  // It is the first thread of the process now, and the only one.
  std::erase_if(threads_,
                [&](const auto& entry) { return entry.second.process == &process && entry.first != thread.tid; });
  thread.call = {};
  thread.is_exiting = thread.is_named = thread.has_own_table = false;
  process.threads = 1;
  process.exiting = 0;
  process.code_changed = true;
  process.table = std::make_shared<TracedTable>();
  process.book->code = CodeMap();
  book_.executed(*process.book, now);
  snapshot(process, thread.tid, SnapshotReason::exec, true);
  if (process.has_listener) handles_.begin_to_compare(thread);
}

// A seccomp filter that kills sends no signal: what is left is the number that the process ends with. Where other
// threads live on, the filter may have ended this one alone.
bool TracedTree::is_ended_by_filter(const Tracee& thread) const {
  constexpr uint64_t signal_bits = 0x7f;
  bool is_last = thread.process->threads - thread.process->exiting == 1;
  return is_last && (tracing::event_message(thread.tid) & signal_bits) == SIGSYS;
}

void TracedTree::on_exiting(Tracee& thread) {
  bool was_forking = thread.call.is_valid && traced_call(thread.call.number).kind == CallKind::fork;
  if (was_forking || thread.process == nullptr) find_parents();
  if (thread.process == nullptr) return;
  TracedProcess& process = *thread.process;
  if (watch_death_ && is_ended_by_filter(thread)) look_at_death(thread, end_by_filter(thread.tid));
  handles_.on_end_of_sight(thread, true);
  if (!std::exchange(thread.is_exiting, true)) process.exiting++;
  if (process.exiting == process.threads && !thread.has_own_table)
    snapshot(process, thread.tid, SnapshotReason::exit, true);
}

// Threads whose parent was killed before it could tell of them.
void TracedTree::find_parents() {
  for (auto& [tid, thread] : threads_) {
    if (thread.process != nullptr || tid == awaited_.pid) continue;
    auto text = read_whole_file(fmt::format("/proc/{}/status", tid), 16384);
    auto status = text ? parse_status(*text) : std::nullopt;
    if (!status) continue;
    if (auto own = processes_.find(status->process); own != processes_.end()) {
      add_thread(tid, own->second.get());
    } else {
      WatchedProcess& book = book_.appeared(tid, book_.find(status->parent), monotonic_now(), 0, StackId::none);
      TracedProcess& process = add_process(book);
      book_.set_sight(book, Sight::ptrace, "");
      out_.process_changed(book.id);
      add_thread(tid, &process);
    }
    if (thread.is_stopped && !is_holding_) go_on(thread);
    return find_parents();
  }
}

void TracedTree::let_go(Tracee& thread) {
  if (thread.process != nullptr) handles_.on_end_of_sight(thread, false);
  tracing::let_go(thread.tid, thread.signal);
  remove_thread(thread.tid);
}

// Threads leave as soon as they have stopped. `asking` waits until the others have left: what it is about to do takes
// that.
void TracedTree::let_go(TracedProcess& process, Tracee& asking, const std::string& why) {
  process.is_leaving = true;
  WatchedProcess& book = *process.book;
  snapshot(process, book.pid, SnapshotReason::on_demand, false);
  std::string sentence = fmt::format("{} was recorded only until {}", tables_.process(book.id).name, why);
  book_.set_sight(book, Sight::handle_table, sentence);
  losses_.add(LossKind::process_not_followed, 1, book.id, sentence);
  out_.process_changed(book.id);
  asking.waits_for = book.pid;
  for (auto& [tid, thread] : threads_) {
    if (thread.process != &process || thread.is_stopped) continue;
    thread.is_interrupted = true;
    tracing::interrupt(tid);
  }
}

void TracedTree::release() {
  stop_all();
  take_snapshots(SnapshotReason::on_demand);
  for (Tracee* thread : stopped_threads()) let_go(*thread);
  book_.announce_old(INT64_MAX);
}

}  // namespace culprit
