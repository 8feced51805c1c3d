#include "analysis/life_replay.h"

#include <algorithm>

namespace culprit {

namespace {

constexpr Time latest = Time{1} << 60;
constexpr size_t mark_limit = 10'000, thread_limit = size_t{1} << 20;

uint64_t thread_key(ProcessId process, uint32_t tid) { return uint64_t{index_of(process)} << 32 | tid; }

class LatestOnly final : public EventSink {
 public:
  void on_handle(const HandleEvent& event) override { see(event.time); }
  void on_process(const ProcessEvent& event) override { see(event.time); }
  void on_thread(const ThreadEvent& event) override { see(event.time); }
  void on_snapshot(const HandleSnapshot& snapshot) override { see(snapshot.begin); }
  void on_mark(const Mark& mark) override { see(mark.time); }
  void on_loss(const Loss&) override {}
  Time latest_seen = 0;

 private:
  void see(Time time) {
    if (time < latest) latest_seen = std::max(latest_seen, time);
  }
};

class MarksOnly final : public EventSink {
 public:
  void on_handle(const HandleEvent&) override {}
  void on_process(const ProcessEvent&) override {}
  void on_thread(const ThreadEvent&) override {}
  void on_snapshot(const HandleSnapshot&) override {}
  void on_mark(const Mark& mark) override {
    if (marks.size() < mark_limit) marks.push_back(mark);
  }
  void on_loss(const Loss&) override {}
  std::vector<Mark> marks;
};

}  // namespace

LifeReplay::LifeReplay(Trace& trace, HandleLifeSink& lives, Time until)
    : trace_(trace), lifetimes_(trace.tables(), lives), until_(until) {
  span_.start = span_.end = started_at(trace);
}

Result<void> LifeReplay::run() {
  CULPRIT_TRY(trace_.replay(*this));
  lifetimes_.finish(std::min(trace_.info().ended, until_));
  span_.end = std::max(span_.start, lifetimes_.last_event());
  return {};
}

void LifeReplay::on_handle(const HandleEvent& event) {
  if (event.time <= until_) lifetimes_.on_handle(event);
}

void LifeReplay::on_process(const ProcessEvent& event) {
  if (event.time <= until_) lifetimes_.on_process(event);
}

void LifeReplay::on_thread(const ThreadEvent& event) {
  if (event.time > until_ || thread_names_.size() >= thread_limit) return;
  thread_names_[thread_key(event.process, event.tid)] = event.name;
}

void LifeReplay::on_snapshot(const HandleSnapshot& snapshot) {
  if (snapshot.begin <= until_) lifetimes_.on_snapshot(snapshot);
}

void LifeReplay::on_mark(const Mark& mark) {
  if (mark.time <= until_ && marks_.size() < mark_limit) marks_.push_back(mark);
}

void LifeReplay::on_loss(const Loss& loss) { losses_.push_back(loss); }

std::vector<Loss> LifeReplay::losses() const {
  std::vector<Loss> all = losses_;
  for (Loss& loss : lifetimes_.losses()) all.push_back(std::move(loss));
  return all;
}

StringId LifeReplay::thread_name(ProcessId process, uint32_t tid) const {
  auto found = thread_names_.find(thread_key(process, tid));
  return found == thread_names_.end() ? StringId::none : found->second;
}

Time started_at(const Trace& trace) { return std::clamp<Time>(trace.info().started, 0, latest); }

Result<RecordingSpan> span_of(Trace& trace) {
  const Time start = started_at(trace);
  if (trace.info().ended > start && trace.info().ended < latest) return RecordingSpan{start, trace.info().ended};
  LatestOnly sink;
  CULPRIT_TRY(trace.replay(sink));
  return RecordingSpan{start, std::max(start, sink.latest_seen)};
}

Result<std::vector<Mark>> marks_of(Trace& trace) {
  MarksOnly sink;
  CULPRIT_TRY(trace.replay(sink));
  return std::move(sink.marks);
}

}  // namespace culprit
