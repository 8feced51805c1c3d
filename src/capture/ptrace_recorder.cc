#include "capture/ptrace_recorder.h"

#include "capture/tracer.h"

namespace culprit {
namespace {

class PtraceRecorder final : public LiveRecorder {
 public:
  PtraceRecorder(const WatchRequest& request, TraceTables& tables, EventSink& sink)
      : tables_(tables), sink_(sink), tracer_(request.buffer_bytes, request.memory_bytes, Tracer::Waits::for_traced) {}

  ~PtraceRecorder() override {
    if (!is_finished_) tracer_.call([](TracedTree& tree) { tree.release(); });
  }

  Result<void> attach(uint32_t pid) {
    Result<void> result;
    tracer_.call([&](TracedTree& tree) { result = tree.attach(pid, ""); });
    return result;
  }

  std::string name() const override { return "ptrace"; }

  bool round() override { return tracer_.out().deliver(tables_, sink_); }

  void sleep(std::chrono::microseconds limit) override { tracer_.out().wait(limit); }

  void take_snapshots(SnapshotReason reason) override {
    tracer_.call([&](TracedTree& tree) { tree.take_snapshots(reason); });
    round();
  }

  void hand_on_losses() override {
    tracer_.call([](TracedTree& tree) { tree.hand_on_losses(); });
    round();
    uint64_t dropped = tracer_.out().dropped();
    if (dropped > told_dropped_) sink_.on_loss({LossKind::ring_full, dropped - told_dropped_, ProcessId::none, ""});
    told_dropped_ = dropped;
  }

  bool has_targets() const override { return !tracer_.is_over(); }

  RecorderStatus status() const override {
    RecorderStatus status;
    status.events = tracer_.out().delivered_handle_events();
    status.lost = tracer_.out().dropped();
    status.processes = static_cast<uint32_t>(tracer_.processes());
    status.longest_stop = tracer_.longest_stop();
    return status;
  }

  void finish() override {
    if (is_finished_) return;
    is_finished_ = true;
    tracer_.call([](TracedTree& tree) { tree.release(); });
    hand_on_losses();
    tracer_.end();
  }

 private:
  TraceTables& tables_;
  EventSink& sink_;
  Tracer tracer_;
  uint64_t told_dropped_ = 0;
  bool is_finished_ = false;
};

}  // namespace

Result<std::unique_ptr<LiveRecorder>> start_ptrace_recorder(const WatchRequest& request, TraceTables& tables,
                                                            EventSink& sink) {
  if (!request.is_one_process() || request.pids.empty())
    return fail(ErrorKind::usage, "ptrace records one process that runs, and those it makes");
  auto recorder = std::make_unique<PtraceRecorder>(request, tables, sink);
  CULPRIT_TRY(recorder->attach(request.pids.front()));
  return recorder;
}

}  // namespace culprit
