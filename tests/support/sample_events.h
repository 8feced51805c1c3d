// Small programs' worth of events for tests: tables with two modules, two processes and a few stacks, and events that
// use every field of the model.
#pragma once

#include <functional>
#include <string>

#include "model/event_sink.h"
#include "model/trace.h"

namespace culprit {

struct SampleProgram {
  TraceTables tables;
  ProcessId shell, server;
  StackId open_stack, close_stack, cut_stack;

  SampleProgram();

  HandleEvent opened(Time time, int64_t value, uint32_t tid = 100);
  HandleEvent closed(Time time, int64_t value, uint32_t tid = 100);
  // One of everything, times 1000 to 1900, in order.
  void send_everything(EventSink& sink);
  TraceInfo info() const;
};

// A directory of its own under the test's temporary directory, removed with all it contains.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  std::string operator/(const std::string& name) const { return path + "/" + name; }

  std::string path;
};

}  // namespace culprit
