#include "capture/ptrace_recorder.h"

namespace culprit {

PtraceRecorder::PtraceRecorder(const WatchRequest& request, TraceTables& tables, EventSink& sink, Tracer::Waits waits)
    : tables_(tables), sink_(sink), tracer_(request.buffer_bytes, request.memory_bytes, waits) {}

PtraceRecorder::~PtraceRecorder() {
  if (!is_finished_) tracer_.call([](TracedTree& tree) { tree.release(); });
}

Result<void> PtraceRecorder::attach(uint32_t pid) {
  Result<void> result;
  tracer_.call([&](TracedTree& tree) { result = tree.attach(pid, ""); });
  return result;
}

Result<void> PtraceRecorder::adopt(uint32_t pid, Time started, const std::string& why) {
  Result<void> result;
  tracer_.call([&](TracedTree& tree) { result = tree.adopt(pid, started, why); });
  return result;
}

void PtraceRecorder::watch_deaths(const LookAtDeath& look) {
  tracer_.call([&](TracedTree& tree) { tree.watch_deaths(look); });
}

void PtraceRecorder::take_snapshots(SnapshotReason reason) {
  tracer_.call([&](TracedTree& tree) { tree.take_snapshots(reason); });
  round();
}

void PtraceRecorder::hand_on_losses() {
  tracer_.call([](TracedTree& tree) { tree.hand_on_losses(); });
  round();
  uint64_t dropped = tracer_.out().dropped();
  if (dropped > told_dropped_) sink_.on_loss({LossKind::ring_full, dropped - told_dropped_, ProcessId::none, ""});
  told_dropped_ = dropped;
}

RecorderStatus PtraceRecorder::status() const {
  RecorderStatus status;
  status.events = tracer_.out().delivered_handle_events();
  status.lost = tracer_.out().dropped();
  status.processes = static_cast<uint32_t>(tracer_.processes());
  status.longest_stop = tracer_.longest_stop();
  return status;
}

void PtraceRecorder::finish() {
  if (is_finished_) return;
  is_finished_ = true;
  tracer_.call([](TracedTree& tree) { tree.release(); });
  hand_on_losses();
  tracer_.end();
}

Result<std::unique_ptr<LiveRecorder>> start_ptrace_recorder(const WatchRequest& request, TraceTables& tables,
                                                            EventSink& sink) {
  if (!request.is_one_process() || request.pids.empty())
    return fail(ErrorKind::usage, "ptrace records one process that runs, and those it makes");
  auto recorder = std::make_unique<PtraceRecorder>(request, tables, sink, Tracer::Waits::for_traced);
  CULPRIT_TRY(recorder->attach(request.pids.front()));
  return recorder;
}

}  // namespace culprit
