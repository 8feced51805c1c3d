// A sink that turns every event into one line, ids replaced by what they mean, so that events of different tables can
// be compared.
#pragma once

#include <string>
#include <vector>

#include "model/event_sink.h"
#include "model/trace.h"

namespace culprit {

class EventLog : public EventSink {
 public:
  explicit EventLog(const TraceTables& tables) : tables_(tables) {}

  std::vector<std::string> lines;   // all events but losses
  std::vector<std::string> losses;  // "ring_full 3 of 17: detail"
  std::vector<Time> times;          // of lines

  void on_handle(const HandleEvent& event) override;
  void on_process(const ProcessEvent& event) override;
  void on_thread(const ThreadEvent& event) override;
  void on_snapshot(const HandleSnapshot& snapshot) override;
  void on_mark(const Mark& mark) override;
  void on_loss(const Loss& loss) override;

  bool lost(std::string_view kind) const;

 private:
  std::string process(ProcessId id) const;
  std::string stack(StackId id) const;
  std::string text(StringId id) const { return std::string(tables_.text(id)); }
  void add(Time time, std::string line);

  const TraceTables& tables_;
};

// All events of a trace. Fails the test when replay() does.
EventLog replayed(Trace& trace);

}  // namespace culprit
