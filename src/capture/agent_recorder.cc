#include "capture/agent_recorder.h"

#include <fmt/core.h>
#include <poll.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>

#include "base/syscall.h"
#include "capture/hook_choice.h"
#include "capture/snapshot.h"

namespace culprit {
namespace {

constexpr Time end_check_interval = 20'000'000;
constexpr Time thread_check_interval = 500'000'000;

TscClock calibrated_clock() {
  ClockReading first = read_clock();
  timespec pause{0, 1'000'000};
  nanosleep(&pause, nullptr);
  return TscClock(first, read_clock());
}

// Of a process that nobody has reaped yet: the status its parent will get (field 52 of /proc/PID/stat, counted from the
// end).
std::optional<int> status_of_zombie(uint32_t pid) {
  auto text = read_whole_file(fmt::format("/proc/{}/stat", pid), 4096);
  if (!text) return std::nullopt;
  size_t name_end = text->rfind(')');
  if (name_end == std::string::npos || name_end + 2 >= text->size() || (*text)[name_end + 2] != 'Z')
    return std::nullopt;
  size_t end = text->find_last_not_of(" \n");
  size_t begin = text->find_last_of(' ', end);
  if (begin == std::string::npos) return std::nullopt;
  return atoi(text->c_str() + begin + 1);
}

}  // namespace

AgentRecorder::AgentRecorder(SessionMemory memory, SessionSocket socket, TraceTables& tables, EventSink& sink)
    : memory_(std::move(memory)),
      socket_(std::move(socket)),
      tables_(tables),
      sink_(sink),
      clock_(calibrated_clock()),
      book_(tables, sink),
      files_(tables),
      shared_tables_(memory_),
      images_(memory_, tables, book_, files_, shared_tables_, clock_),
      calls_(tables),
      shared_{tables,
              sink,
              losses_,
              book_,
              clock_,
              calls_,
              [this](WatchedProcess& process, uint32_t generation) { images_.read_mappings(process, generation); }},
      slots_(memory_, images_, shared_, [this](WatchedProcess& process) { retire_image(process); }),
      requests_(memory_, images_, slots_, shared_),
      outside_(book_, requests_, losses_, tables) {
  if (std::string why = why_clock_is_unreliable(); !why.empty()) {
    losses_.add(LossKind::clock_unreliable, 1, ProcessId::none, why);
  }
}

Result<std::unique_ptr<AgentRecorder>> AgentRecorder::create(const std::string& agent_library, TraceTables& tables,
                                                             EventSink& sink, uint32_t slot_count) {
  auto memory = SessionMemory::create(agent_library, slot_count);
  if (!memory) return tl::unexpected<Error>(memory.error());
  auto socket = SessionSocket::create(memory->id());
  if (!socket) return tl::unexpected<Error>(socket.error());
  return std::unique_ptr<AgentRecorder>(new AgentRecorder(std::move(*memory), std::move(*socket), tables, sink));
}

void AgentRecorder::launched(uint32_t pid, Time time, bool watch_from_outside, const std::string& sight_reason) {
  WatchedProcess& process = book_.launched(pid, time);
  if (watch_from_outside) {
    outside_.watch(process, sight_reason);
    requests_.snapshot(process, SnapshotReason::start, false);
  } else {
    process.exec_at = time;
  }
}

namespace {

std::optional<uint32_t> claim_record(SessionMemory& memory) {
  for (uint32_t i = 0; i < CULPRIT_PROCESS_COUNT; i++) {
    uint32_t free = CULPRIT_PROCESS_FREE;
    if (__atomic_compare_exchange_n(&memory.process(i).state, &free, CULPRIT_PROCESS_CLAIMED, false, __ATOMIC_ACQ_REL,
                                    __ATOMIC_RELAXED))
      return i;
  }
  return std::nullopt;
}

void note_fanotify_handles(uint32_t pid, culprit_attach& argument) {
  TraceTables scratch;
  auto table = read_handle_table(pid, scratch);
  if (!table) return;
  for (const SnapshotEntry& entry : table->entries) {
    bool fits = argument.fanotify_count < std::size(argument.fanotify);
    if (fits && scratch.text(entry.type) == handle_type::fanotify)
      argument.fanotify[argument.fanotify_count++] = static_cast<int32_t>(entry.value);
  }
}

}  // namespace

Result<AgentRecorder::AttachPlan> AgentRecorder::plan_attach(uint32_t pid) {
  auto code = code_of(pid);
  if (!code) return tl::unexpected<Error>(code.error());
  auto index = claim_record(memory_);
  if (!index) return fail(ErrorKind::limit, "too many processes are being recorded");
  AttachPlan plan{pid, *index, std::move(*code), {}};
  environment_value().copy(plan.argument.session, sizeof plan.argument.session - 1);
  plan.argument.record = *index;
  note_fanotify_handles(pid, plan.argument);

  WatchedProcess process;
  process.pid = pid;
  process.record = static_cast<int>(*index);
  images_.read_mappings(process, 0);
  images_.publish(process, true);
  culprit_process& record = memory_.process(*index);
  record.pid = pid;
  record.flags = CULPRIT_PROCESS_ATTACHED;
  record.begin_tsc = read_clock().tsc;
  store_shared(record.state, CULPRIT_PROCESS_LIVE);
  socket_.let_in(pid);
  return plan;
}

void AgentRecorder::attached(const AttachPlan& plan, Time since, const std::string& blind_spots) {
  WatchedProcess& process = book_.launched(plan.pid, since);
  begin_with(process, plan);
  std::string unfit = images_.unfit_sites(process);
  book_.set_sight(process, Sight::agent, unfit + (unfit.empty() || blind_spots.empty() ? "" : "; ") + blind_spots);
  requests_.snapshot(process, SnapshotReason::start, false);
}

void AgentRecorder::begin_with(WatchedProcess& process, const AttachPlan& plan) {
  process.record = static_cast<int>(plan.record);
  process.said_hello = true;
  images_.read_mappings(process, images_.table_generation(process));
  images_.publish(process, false);
}

void AgentRecorder::attached_for_memory(const AttachPlan& plan, Time since, bool is_told_of) {
  auto& rows = tables_.processes;
  auto row = std::find_if(rows.rbegin(), rows.rend(), [&](const Process& process) { return process.pid == plan.pid; });
  const bool is_known = is_told_of && row != rows.rend();
  begin_with(is_known ? book_.known(plan.pid, id_at<ProcessId>(static_cast<size_t>(rows.rend() - row) - 1), since)
                      : book_.launched(plan.pid, since),
             plan);
}

void AgentRecorder::serve_newcomers() {
  memory_.beat();
  clock_.refine(read_clock());
  socket_.serve(memory_.fd());
}

void AgentRecorder::take_snapshots(SnapshotReason reason) {
  for (WatchedProcess& process : book_.all())
    if (!process.ended) requests_.snapshot(process, reason, false);
}

void AgentRecorder::count_children_left_out(const WatchedProcess& process) {
  culprit_process& record = memory_.process(static_cast<uint32_t>(process.record));
  losses_.add(LossKind::process_not_followed, __atomic_exchange_n(&record.children_left_out, 0, __ATOMIC_RELAXED),
              process.id, "a process that it forked: attach to that one to see what it allocates");
}

void AgentRecorder::retire_image(WatchedProcess& process) {
  slots_.free_process(process);
  if (process.record < 0) return;
  auto index = static_cast<uint32_t>(process.record);
  const culprit_process& record = memory_.process(index);
  if ((load_shared(record.flags) & CULPRIT_PROCESS_WRAPPERS) != 0) {
    book_.set_sight(process, Sight::wrappers, wrappers_blind_spots("libc is not patched here"));
  } else if (load_shared(record.sites_patched) == 0 && process.said_hello) {
    int error_number = load_shared(record.patch_error);
    std::string why = error_number > 0 ? strerror(error_number) : "none of its places was as expected";
    book_.set_sight(
        process, Sight::handle_table,
        fmt::format("libc could not be patched ({}), nothing was seen of it; run it again with --wrappers", why));
  }
  losses_.add(LossKind::thread_slots, load_shared(record.slots_refused), process.id);
  count_children_left_out(process);
  if ((load_shared(record.flags) & CULPRIT_PROCESS_OWN_ALLOCATOR) != 0)
    losses_.add(LossKind::process_not_followed, 1, process.id,
                "an allocator of its own, which culprit could not be put in front of: what came from it was not seen");
  process.record = -1;
  memory_.free_process(index);
}

void AgentRecorder::process_ended(WatchedProcess& process) {
  if (process.ended) return;
  bool had_agent = process.record >= 0;
  slots_.drain_process(process);
  retire_image(process);
  bool is_checked = process.exit_snapshot || !(had_agent || process.watched_from_outside);
  if (!is_checked) losses_.add(LossKind::table_not_checked, 1, process.id, tables_.process(process.id).name);
  outside_.note_unfollowed_exec(process);
  book_.ended(process, monotonic_now());
  slots_.free_process(process);
}

void AgentRecorder::ended(uint32_t pid, int wait_status) {
  WatchedProcess* process = book_.find(pid);
  if (process == nullptr) return;
  process->wait_status = wait_status;
  slots_.drain_process(*process);
  process_ended(*process);
}

void AgentRecorder::find_ended_processes() {
  std::vector<pollfd> watched;
  std::vector<WatchedProcess*> processes;
  for (WatchedProcess& process : book_.all()) {
    if (process.ended) continue;
    watched.push_back({process.pidfd.get(), POLLIN, 0});
    processes.push_back(&process);
  }
  poll(watched.data(), watched.size(), 0);
  for (size_t i = 0; i < watched.size(); i++) {
    bool has_no_pidfd = watched[i].fd < 0;
    bool is_gone = has_no_pidfd && access(fmt::format("/proc/{}", processes[i]->pid).c_str(), F_OK) != 0;
    if ((watched[i].revents & POLLIN) == 0 && !is_gone) continue;
    if (!processes[i]->wait_status) processes[i]->wait_status = status_of_zombie(processes[i]->pid);
    process_ended(*processes[i]);
  }
}

bool AgentRecorder::round() {
  memory_.beat();
  clock_.refine(read_clock());
  socket_.serve(memory_.fd());
  bool did_something = slots_.drain_all() > 0;
  did_something |= requests_.serve() > 0;
  if (deaths_) did_something |= deaths_->serve(book_.all());
  Time now = monotonic_now();
  if (now - last_end_check_ >= end_check_interval) {
    last_end_check_ = now;
    find_ended_processes();
  }
  if (now - last_thread_check_ >= thread_check_interval) {
    last_thread_check_ = now;
    slots_.check_threads();
  }
  outside_.round(now);
  book_.announce_old(now);
  return did_something;
}

void AgentRecorder::sleep(std::chrono::microseconds limit) {
  // A process that is looked at as it ends waits for the answer, which nobody rings the bell for.
  constexpr std::chrono::microseconds while_one_waits{500};
  const size_t waiting = requests_.waiting();
  uint32_t seen = memory_.announce_sleep();
  if (slots_.has_work(waiting)) {
    memory_.stay_awake();
  } else {
    memory_.sleep(seen, waiting == 0 ? limit : std::min(limit, while_one_waits));
  }
}

void AgentRecorder::finish() {
  if (deaths_) deaths_->finish();
  memory_.finish();
  slots_.drain_all();
  find_ended_processes();  // those that ended since the last look
  for (const WatchedProcess& process : book_.all())
    if (!process.ended && process.record >= 0) count_children_left_out(process);
  uint64_t left_out = shared_tables_.left_out();
  losses_.add(LossKind::memory_limit, left_out - std::exchange(tables_left_out_, left_out), ProcessId::none,
              "unwind tables that found no place in shared memory");
  book_.announce_old(INT64_MAX);
  hand_on_losses();
}

}  // namespace culprit
