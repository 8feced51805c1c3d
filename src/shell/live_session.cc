#include "shell/live_session.h"

#include <fmt/core.h>
#include <pthread.h>
#include <signal.h>
#include <sys/utsname.h>
#include <time.h>

#include "capture/tsc_clock.h"
#include "shell/live_target.h"

namespace culprit {
namespace {

using std::chrono::microseconds;
constexpr microseconds shortest_sleep{500}, longest_sleep{20'000};
constexpr Time flush_interval = 1'000'000'000;
constexpr auto answer_interval = std::chrono::milliseconds(50);
// What was found by comparing waits that long in a recorder for a better account.
constexpr auto settling = std::chrono::milliseconds(60);

TraceInfo describe(const LiveRequest& request) {
  TraceInfo info;
  utsname machine{};
  uname(&machine);
  timespec wall{};
  clock_gettime(CLOCK_REALTIME, &wall);
  // Who records is known only when it does.
  info.recorded_by = "culprit 0.1.0";
  if (request.via != Via::best) info.recorded_by += fmt::format(", {}", name_of(request.via));
  info.command = request.what;
  info.machine = fmt::format("{}, {} {} {}", machine.nodename, machine.sysname, machine.release, machine.machine);
  info.started = monotonic_now();
  info.allocations = request.watch.memory ? 1 : 0;
  info.wall_clock_ns = wall.tv_sec * 1'000'000'000 + wall.tv_nsec;
  return info;
}

// A recording that goes on, up to a moment until which all of it is written: as complete as one that was finished then.
class SoFar final : public Trace {
 public:
  SoFar(std::unique_ptr<Trace> trace, const TraceInfo& info, Time until) : trace_(std::move(trace)), info_(info) {
    info_.ended = until;
    info_.complete = true;
    info_.being_recorded = false;
  }
  const TraceInfo& info() const override { return info_; }
  const TraceTables& tables() const override { return trace_->tables(); }
  Result<void> replay(EventSink& sink) override {
    WithoutTheEnd filtered(sink);
    return trace_->replay(filtered);
  }

 private:
  class WithoutTheEnd final : public EventSink {
   public:
    explicit WithoutTheEnd(EventSink& sink) : sink_(sink) {}
    void on_handle(const HandleEvent& event) override { sink_.on_handle(event); }
    void on_process(const ProcessEvent& event) override { sink_.on_process(event); }
    void on_thread(const ThreadEvent& event) override { sink_.on_thread(event); }
    void on_snapshot(const HandleSnapshot& snapshot) override { sink_.on_snapshot(snapshot); }
    void on_mark(const Mark& mark) override { sink_.on_mark(mark); }
    void on_carried(const CarriedTable& table) override { sink_.on_carried(table); }
    void on_allocation(const AllocationEvent& event) override { sink_.on_allocation(event); }
    void on_mapping(const MappingEvent& event) override { sink_.on_mapping(event); }
    void on_loss(const Loss& loss) override {
      if (loss.kind != LossKind::recording_incomplete) sink_.on_loss(loss);
    }

   private:
    EventSink& sink_;
  };

  std::unique_ptr<Trace> trace_;
  TraceInfo info_;
};

}  // namespace

Result<std::unique_ptr<LiveSession>> LiveSession::start(LiveRequest request) {
  std::unique_ptr<LiveSession> session(new LiveSession(std::move(request)));
  std::promise<Result<void>> begun;
  auto answer = begun.get_future();
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);  // signals are for the thread that knows about them
  session->thread_ = std::thread([&session = *session, &begun] { session.work(begun); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  CULPRIT_TRY(answer.get());
  return session;
}

LiveSession::~LiveSession() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  if (thread_.joinable()) thread_.join();
}

Result<void> LiveSession::begin() {
  info_ = describe(request_);
  auto chain = RecordingChain::create(request_.output, request_.bounds, tables_, info_);
  if (!chain) return tl::unexpected<Error>(std::move(chain).error());
  chain_ = std::move(*chain);
  auto recording = start_live_recorder(request_.watch, request_.via, request_.libraries, tables_, chain_->sink());
  if (!recording) {
    chain_->writer().discard();
    return tl::unexpected<Error>(std::move(recording).error());
  }
  recorder_ = std::move(recording->recorder);
  refused_ = std::move(recording->refused);
  back_end_ = recorder_->name();
  info_.recorded_by = fmt::format("culprit 0.1.0, {}", back_end_);
  is_recording_memory_ = request_.watch.memory.has_value();
  if (is_recording_memory_ && !request_.watch.memory->has_all())
    info_.recorded_by += fmt::format(", only blocks of {}", sizes_in_words(*request_.watch.memory));
  for (size_t i = 0; i < request_.bounds.types.size(); ++i)
    info_.recorded_by += fmt::format("{}{}", i == 0 ? ", only " : "/", request_.bounds.types[i]);
  return {};
}

void LiveSession::work(std::promise<Result<void>>& begun) {
  auto result = begin();
  bool has_begun = result.has_value();
  begun.set_value(std::move(result));  // `begun` is gone from here on
  if (!has_begun) return;
  Time next_flush = monotonic_now() + flush_interval;
  microseconds pause = shortest_sleep;
  std::unique_lock lock(mutex_);
  while (!stop_) {
    bool did_something = round();
    note_status();
    has_targets_ = recorder_->has_targets();
    rounds_++;
    if (asked_) asked_result_ = std::exchange(asked_, nullptr)();
    round_done_.notify_all();
    if (monotonic_now() >= next_flush) {
      next_flush = monotonic_now() + flush_interval;
      recorder_->hand_on_losses();
      if (memory_recorder_) memory_recorder_->hand_on_losses();
      chain_->hand_on_losses();
      chain_->writer().flush();
    }
    pause = did_something ? shortest_sleep : std::min(pause * 2, longest_sleep);
    LiveRecorder& busiest = memory_recorder_ ? *memory_recorder_ : *recorder_;
    lock.unlock();
    busiest.sleep(pause);
    lock.lock();
  }
  finish_memory();
  recorder_->finish();
  chain_->hand_on_losses();
  note_status();
  recorder_.reset();
  has_targets_ = false;
  is_over_ = true;
  round_done_.notify_all();
}

void LiveSession::mark(const std::string& name) {
  std::lock_guard lock(mutex_);
  chain_->sink().on_mark({monotonic_now(), name});
}

Result<void> LiveSession::have_memory_recorded() {
  if (recorder_->can_record_memory()) return recorder_->record_memory({});
  if (request_.watch.pids.size() != 1 || !request_.watch.is_one_process())
    return fail(ErrorKind::unsupported, "memory is recorded of one process at a time");
  WatchRequest watch = request_.watch;
  watch.handles = false;
  watch.memory = BlockSizes{};
  watch.is_second = true;
  auto recording = start_live_recorder(watch, Via::agent, request_.libraries, tables_, chain_->sink());
  if (!recording) return tl::unexpected<Error>(std::move(recording).error());
  memory_recorder_ = std::move(recording->recorder);
  return {};
}

Result<void> LiveSession::on_its_thread(std::function<Result<void>()> work) {
  std::unique_lock lock(mutex_);
  if (!is_over_) {
    asked_ = std::move(work);
    round_done_.wait(lock, [&] { return !asked_ || is_over_; });
    if (!asked_) return asked_result_;
  }
  return fail(ErrorKind::usage, "nothing is recorded any more");
}

Result<void> LiveSession::record_memory() {
  return on_its_thread([this] { return begin_memory(); });
}

Result<void> LiveSession::leave_memory() {
  return on_its_thread([this] { return end_memory(); });
}

Result<void> LiveSession::begin_memory() {
  if (is_recording_memory_) return fail(ErrorKind::usage, "memory is recorded already");
  if (request_.bounds.circular != 0)
    return fail(ErrorKind::unsupported, "a circular recording takes no memory: who frees what fell out cannot be told");
  const Time begin = monotonic_now();
  CULPRIT_TRY(have_memory_recorded());
  chain_->sink().on_mark({begin, std::string(begin_of_memory)});
  is_recording_memory_ = true;
  info_.allocations = 1;
  return {};
}

Result<void> LiveSession::end_memory() {
  if (!is_recording_memory_) return fail(ErrorKind::usage, "memory is not recorded");
  if (memory_recorder_ == nullptr) CULPRIT_TRY(recorder_->leave_memory());
  finish_memory();
  is_recording_memory_ = false;
  chain_->sink().on_mark({monotonic_now(), std::string(end_of_memory)});
  return {};
}

bool LiveSession::is_recording_memory() {
  std::lock_guard lock(mutex_);
  return is_recording_memory_;
}

bool LiveSession::round() {
  bool did_something = recorder_->round();
  if (memory_recorder_) did_something |= memory_recorder_->round();
  return did_something;
}

void LiveSession::finish_memory() {
  if (!memory_recorder_) return;
  memory_recorder_->finish();
  note_status();
  memory_status_ = memory_recorder_->status();
  memory_recorder_.reset();
}

// Of both recorders together.
void LiveSession::note_status() {
  last_status_ = recorder_->status();
  const RecorderStatus memory = memory_recorder_ ? memory_recorder_->status() : memory_status_;
  last_status_.events += memory.events;
  last_status_.lost += memory.lost;
  last_status_.longest_stop = std::max(last_status_.longest_stop, memory.longest_stop);
  if (last_status_.left_behind.empty()) last_status_.left_behind = memory.left_behind;
}

Result<std::unique_ptr<Trace>> LiveSession::so_far() {
  std::unique_lock lock(mutex_);
  recorder_->take_snapshots(SnapshotReason::on_demand);
  // What was under way when we looked is told by now.
  lock.unlock();
  std::this_thread::sleep_for(settling);
  lock.lock();
  uint64_t seen = rounds_;
  round_done_.wait(lock, [&] { return rounds_ > seen + 1 || is_over_; });
  if (recorder_) recorder_->hand_on_losses();
  if (memory_recorder_) memory_recorder_->hand_on_losses();
  chain_->writer().flush();
  Time until = monotonic_now();
  auto trace = chain_->writer().reopen();
  if (!trace) return trace;
  return std::make_unique<SoFar>(std::move(*trace), info_, until);
}

RecorderStatus LiveSession::status() {
  std::lock_guard lock(mutex_);
  return last_status_;
}

SessionStatus LiveSession::whole_status() {
  std::lock_guard lock(mutex_);
  const TraceWriter& writer = chain_->writer();
  return {.recorder = last_status_,
          .bytes = writer.bytes_written(),
          .table_bytes = tables_.memory(),
          .started = info_.started,
          .now = is_over_ ? info_.ended : monotonic_now(),
          .complete_from = writer.complete_from(),
          .is_full = writer.is_full(),
          .waits_for_room = writer.is_waiting_for_room(),
          .blocks_lost = writer.blocks_lost(),
          .last_failure = writer.last_failure()};
}

uint64_t LiveSession::bytes_written() {
  std::lock_guard lock(mutex_);
  return chain_->writer().bytes_written();
}

bool LiveSession::has_targets() {
  std::lock_guard lock(mutex_);
  return has_targets_;
}

bool LiveSession::wait(const std::function<bool()>& goes_on) {
  while (goes_on()) {
    std::unique_lock lock(mutex_);
    if (!has_targets_) return false;
    round_done_.wait_for(lock, answer_interval);
  }
  return true;
}

Result<void> LiveSession::finish() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  thread_.join();
  info_.ended = monotonic_now();
  return chain_->writer().finish(info_);
}

void LiveSession::discard() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  thread_.join();
  chain_->writer().discard();
}

Result<std::unique_ptr<Trace>> LiveSession::finished() { return chain_->writer().reopen(); }

}  // namespace culprit
