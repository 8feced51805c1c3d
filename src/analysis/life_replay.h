// A recording's lives of handles, worked out up to a moment, and what else is said on the way.
#pragma once

#include <unordered_map>
#include <vector>

#include "analysis/handle_lifetimes.h"
#include "analysis/verdict.h"
#include "model/trace.h"

namespace culprit {

// With `until`, everything is as if the recording had ended then: lives that end later are still open.
class LifeReplay : public EventSink {
 public:
  // All must outlive this.
  LifeReplay(Trace& trace, HandleLifeSink& lives, Time until = INT64_MAX);

  // Replays the recording once. Fails only when replay does.
  Result<void> run();

  // What was looked at; its end is known after run().
  RecordingSpan span() const { return span_; }
  const HandleLifetimes& lifetimes() const { return lifetimes_; }
  std::vector<Loss> losses() const;                          // of the recording, and of working out lives
  const std::vector<Mark>& marks() const { return marks_; }  // in order of time, up to a bound
  // The last name that thread had; none: unknown.
  StringId thread_name(ProcessId process, uint32_t tid) const;

  void on_handle(const HandleEvent& event) override;
  void on_process(const ProcessEvent& event) override;
  void on_thread(const ThreadEvent& event) override;
  void on_snapshot(const HandleSnapshot& snapshot) override;
  void on_mark(const Mark& mark) override;
  void on_loss(const Loss& loss) override;
  void on_carried(const CarriedTable& table) override { lifetimes_.on_carried(table); }

 private:
  Trace& trace_;
  HandleLifetimes lifetimes_;
  Time until_;
  RecordingSpan span_;
  std::vector<Loss> losses_;
  std::vector<Mark> marks_;
  std::unordered_map<uint64_t, StringId> thread_names_;
};

// When the recording began; a damaged one may claim any time, this is one that can be reckoned with.
Time started_at(const Trace& trace);

// From beginning to end, without working out lives: quick where the header says so.
Result<RecordingSpan> span_of(Trace& trace);

// The marks of a recording, in order of time.
Result<std::vector<Mark>> marks_of(Trace& trace);

}  // namespace culprit
