// The console's recording of handles: one that runs, of a live process, or a file. Marks, differences, and all that
// `culprit handles` asks.
#pragma once

#include <memory>
#include <string>

#include "shell/console.h"
#include "shell/handle_question.h"
#include "shell/live_session.h"

namespace culprit {

class RecordedHandles {
 public:
  // `target`: as answers call it. `kept`: the recording's file; empty: it is not kept.
  RecordedHandles(std::unique_ptr<LiveSession> session, std::string target, std::string kept);
  RecordedHandles(std::unique_ptr<Trace> trace, std::string path);

  void mark(Console& console, const std::vector<std::string>& words);
  void diff(Console& console, const std::vector<std::string>& words);
  void handles(Console& console, const std::vector<std::string>& words);
  std::string status();  // a line

  // ---- memory, of a process that runs
  void record_memory(Console& console);
  void leave_memory(Console& console);
  bool has_memory() const { return has_memory_; }  // something of it was recorded
  void memory(Console& console, const std::vector<std::string>& words);
  // What was allocated since a mark, or between two, and is outstanding.
  void memory_diff(Console& console, const std::vector<std::string>& words);

  // Whether handles are recorded now.
  bool is_recording() const { return session_ != nullptr && !is_finished_; }
  // Lets the process go; nothing happens the second time.
  Result<void> finish();
  // After finish(): what became of the process.
  std::string about_release();
  // Once, after the process has ended: the sentence about it.
  std::string note_end();
  LiveSession* session() { return session_.get(); }

 private:
  Result<Trace*> trace();
  void ask(Console& console, const Result<HandleQuestion>& question);

  std::unique_ptr<LiveSession> session_;  // null: of a file
  std::unique_ptr<Trace> trace_;          // of a file, or as it was last asked
  std::string target_, kept_;
  uint32_t marks_ = 0;
  bool is_finished_ = false, has_told_end_ = false, has_memory_ = false;
};

}  // namespace culprit
