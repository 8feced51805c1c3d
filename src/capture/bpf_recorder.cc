#include "capture/bpf_recorder.h"

#include <fmt/core.h>
#include <unistd.h>

#include <bit>

#include "base/syscall.h"
#include "capture/bpf_decoder.h"
#include "capture/snapshot.h"
#include "capture/tsc_clock.h"
#include "capture/watch_filter.h"
#include "format/procfs.h"
#include "target/raised_priority.h"

namespace culprit {
namespace {

constexpr size_t events_per_round = 20'000;
constexpr Time housekeeping_interval = 1'000'000'000;
constexpr Time table_patience = 5'000'000'000;
constexpr uint64_t bytes_per_stack = 256;  // a remembered one, in all tables
// What the kernel side keeps must leave most of the cap to the recorder's own tables.
constexpr uint64_t most_unwind_rows = 8 << 20, fewest_unwind_rows = 1 << 20;

BpfSizes sizes_for(const WatchRequest& request) {
  BpfSizes sizes;
  sizes.ring_bytes = std::bit_floor(std::max<uint64_t>(request.buffer_bytes, 64 << 10));
  uint64_t rows = std::bit_floor(std::max<uint64_t>(request.memory_bytes / 4 / sizeof(culprit_unwind_row), 1));
  uint64_t wanted = request.is_one_process() ? most_unwind_rows / 2 : most_unwind_rows;
  sizes.rows = static_cast<uint32_t>(std::clamp(rows, fewest_unwind_rows, wanted));
  sizes.pages = sizes.rows / 4;
  return sizes;
}

class BpfRecorder final : public LiveRecorder {
 public:
  BpfRecorder(const WatchRequest& request, std::unique_ptr<BpfProgram> program, TraceTables& tables, EventSink& sink)
      : request_(request),
        program_(std::move(program)),
        tables_(tables),
        sink_(sink),
        files_(tables),
        unwind_tables_(*program_),
        stacks_(tables, request.memory_bytes / 4 / bytes_per_stack),
        processes_(tables, sink, *program_, unwind_tables_, files_),
        decoder_(tables, sink, losses_, processes_, unwind_tables_, stacks_) {}

  Result<void> start() {
    std::vector<uint32_t> running = processes_meant(request_);
    if (!request_.all) {
      for (uint32_t pid : running) CULPRIT_TRY(program_->watch(pid));
    }
    if (request_.is_one_process()) {
      for (uint32_t pid : running) build_tables_of(pid, true);
      await_tables();
    }
    build_tables_of(static_cast<uint32_t>(getpid()), false);
    CULPRIT_TRY(program_->attach());
    CULPRIT_TRY(program_->begin_tables());
    for (uint32_t pid : running) {
      BpfProcess& process = processes_.found_running(pid, monotonic_now());
      snapshot(process, SnapshotReason::start);
      for (const MappedCode& code : processes_.map_of(process)->newest()) {
        if (code.file != nullptr) unwind_tables_.of(*code.file);
      }
    }
    return {};
  }

  std::string name() const override { return "bpf"; }

  bool round() override {
    size_t taken = take();
    bool is_placed = unwind_tables_.place_built();
    processes_.publish_code(is_placed);
    decoder_.release(monotonic_now());
    processes_.end_of_round();
    Time now = monotonic_now();
    if (now - last_housekeeping_ >= housekeeping_interval) {
      last_housekeeping_ = now;
      processes_.find_ended(now);
      count_losses();
    }
    if (stacks_.is_full()) {
      program_->begin_epoch();
      stacks_.begin_epoch();
    }
    return taken > 0 || is_placed;
  }

  void sleep(std::chrono::microseconds limit) override {
    bool is_busy = unwind_tables_.is_building() || decoder_.waiting() > 0;
    program_->wait(is_busy ? std::min(limit, std::chrono::microseconds(1000)) : limit);
  }

  void take_snapshots(SnapshotReason reason) override {
    for (auto& [pid, process] : processes_.all()) snapshot(*process, reason);
  }

  void hand_on_losses() override {
    count_losses();
    losses_.hand_on(sink_);
  }

  bool has_targets() const override {
    bool is_open_ended =
        request_.all || !request_.names.empty() || !request_.cgroups.empty() || !request_.users.empty();
    return is_open_ended || processes_.living() > 0;
  }

  RecorderStatus status() const override {
    RecorderStatus status;
    status.events = decoder_.handle_events();
    status.lost = seen_lost_.handle_events + seen_lost_.process_events;
    status.processes = static_cast<uint32_t>(processes_.living());
    return status;
  }

  void finish() override {
    take_snapshots(SnapshotReason::on_demand);
    // The hooks are taken away one after the other: what comes meanwhile is seen by half, opened but not closed.
    last_moment_ = monotonic_now();
    program_->detach();
    while (take() > 0) {
    }
    processes_.publish_code(false);
    wait_for_tables();
    decoder_.release_all();
    processes_.book().announce_old(INT64_MAX);
    hand_on_losses();
  }

 private:
  size_t take() {
    size_t left = events_per_round;
    return program_->take_events([&](Bytes bytes) {
      auto event = parse_bpf_event(bytes);
      bool is_wanted = event && static_cast<Time>(event->header.time) <= last_moment_;
      return (!is_wanted || decoder_.on_event(*event)) && --left > 0;
    });
  }

  // For the stacks that were copied last.
  void wait_for_tables() {
    decoder_.release(monotonic_now());
    for (Time end = monotonic_now() + table_patience; decoder_.waiting() > 0 && monotonic_now() < end;) {
      bool is_last = !unwind_tables_.is_building();
      unwind_tables_.place_built();
      decoder_.release(monotonic_now());
      if (is_last) return;
      usleep(500);
    }
  }

  // Until they stand, the kernel side sends copies of stacks, of which a fast program makes more than the ring holds.
  void await_tables() {
    unwind_tables_.place_built();
    for (Time end = monotonic_now() + table_patience; unwind_tables_.is_building() && monotonic_now() < end;) {
      usleep(500);
      unwind_tables_.place_built();
    }
  }

  // The libraries that culprit itself runs on, libc above all, are wanted by most programs.
  void build_tables_of(uint32_t pid, bool with_program) {
    auto text = read_whole_file(fmt::format("/proc/{}/maps", pid));
    if (!text) return;
    for (const MapsEntry& entry : parse_maps(*text)) {
      ModuleFile* file = entry.is_executable ? files_.of(pid, entry) : nullptr;
      bool is_wanted = file != nullptr && (with_program || file->path.find(".so") != std::string::npos);
      if (is_wanted) unwind_tables_.of(*file);
    }
  }

  void snapshot(BpfProcess& process, SnapshotReason reason) {
    auto table = read_handle_table(process.book->pid, tables_);
    if (!table) return;  // it is going: its end tells its table
    table->process = process.book->id;
    table->reason = reason;
    sink_.on_snapshot(*table);
  }

  // What was counted since the last look.
  void count_losses() {
    culprit_bpf_lost lost = program_->lost();
    losses_.add(LossKind::ring_full, lost.handle_events - seen_lost_.handle_events);
    losses_.add(LossKind::ring_full, lost.process_events - seen_lost_.process_events, ProcessId::none,
                "events about processes");
    losses_.add(LossKind::stack_truncated, lost.stack_copies - seen_lost_.stack_copies, ProcessId::none,
                "stacks that could not be read");
    losses_.add(LossKind::memory_limit, lost.tables - seen_lost_.tables, ProcessId::none,
                "handle tables that were not compared");
    uint64_t left_out = unwind_tables_.left_out() + processes_.left_out();
    losses_.add(LossKind::memory_limit, left_out - seen_left_out_, ProcessId::none,
                "unwind tables that found no place: their stacks end early");
    bool is_mended = lost.process_events == seen_lost_.process_events;
    seen_lost_ = lost;
    seen_left_out_ = left_out;
    if (!is_mended) ask_again();
  }

  // Questions of the kernel side were lost: every process's code is read again.
  void ask_again() {
    for (auto& [pid, process] : processes_.all()) process->must_read = process->wants_code = process->code.key != 0;
  }

  RaisedPriority priority_;
  Time last_moment_ = INT64_MAX;
  WatchRequest request_;
  std::unique_ptr<BpfProgram> program_;
  TraceTables& tables_;
  EventSink& sink_;
  LossCounter losses_;
  ModuleFiles files_;
  BpfTables unwind_tables_;
  BpfStacks stacks_;
  BpfProcesses processes_;
  BpfDecoder decoder_;
  culprit_bpf_lost seen_lost_{};
  uint64_t seen_left_out_ = 0;
  Time last_housekeeping_ = 0;
};

}  // namespace

Result<std::unique_ptr<LiveRecorder>> start_bpf_recorder(const WatchRequest& request, TraceTables& tables,
                                                         EventSink& sink) {
  auto filter = bpf_filter_of(request);
  if (!filter) return tl::unexpected<Error>(std::move(filter).error());
  auto program = BpfProgram::load(*filter, sizes_for(request));
  if (!program) return tl::unexpected<Error>(std::move(program).error());
  auto recorder = std::make_unique<BpfRecorder>(request, std::move(*program), tables, sink);
  CULPRIT_TRY(recorder->start());
  return recorder;
}

}  // namespace culprit
