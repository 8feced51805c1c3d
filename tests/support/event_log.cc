#include "support/event_log.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace culprit {

void EventLog::add(Time time, std::string line) {
  times.push_back(time);
  lines.push_back(fmt::format("{} {}", time, line));
}

std::string EventLog::process(ProcessId id) const {
  std::string text;
  for (; id != ProcessId::none; id = tables_.process(id).parent) {
    const Process& process = tables_.process(id);
    text += fmt::format("{}:{}:{}:{}:{}<", process.pid, process.name, process.command, static_cast<int>(process.sight),
                        process.sight_reason);
  }
  return text;
}

std::string EventLog::stack(StackId id) const {
  std::string text;
  for (const Frame& frame : tables_.stacks.frames(id)) {
    const Module& module = tables_.module(frame.module);
    text += fmt::format("{}/{}+{:x}.{}<", module.path, module.build_id, frame.offset, static_cast<int>(frame.found_by));
  }
  return text + (tables_.stacks.truncated(id) ? "…" : "");
}

void EventLog::on_handle(const HandleEvent& event) {
  add(event.time, fmt::format("handle {} {} {} {} tid {} stack {} {} {} {}", static_cast<int>(event.action),
                              event.value, event.other, process(event.process), event.tid, stack(event.stack),
                              text(event.call), text(event.type), text(event.name)));
}

void EventLog::on_process(const ProcessEvent& event) {
  add(event.time, fmt::format("process {} {} parent {} status {} tid {} stack {} limit {}",
                              static_cast<int>(event.change), process(event.process), process(event.parent),
                              event.status, event.tid, stack(event.stack), event.handle_limit));
}

void EventLog::on_thread(const ThreadEvent& event) {
  add(event.time, fmt::format("thread {} tid {} {}", process(event.process), event.tid, text(event.name)));
}

void EventLog::on_snapshot(const HandleSnapshot& snapshot) {
  std::string line =
      fmt::format("snapshot until {} {} reason {} held {} limit {}", snapshot.end, process(snapshot.process),
                  static_cast<int>(snapshot.reason), snapshot.held, snapshot.handle_limit);
  for (const SnapshotEntry& entry : snapshot.entries) {
    line += fmt::format(" [{} {} {} {}]", entry.value, text(entry.type), text(entry.name), entry.object);
  }
  add(snapshot.begin, std::move(line));
}

void EventLog::on_mark(const Mark& mark) { add(mark.time, "mark " + mark.name); }

void EventLog::on_loss(const Loss& loss) {
  std::string whose = loss.process == ProcessId::none ? "" : fmt::format(" of {}", tables_.process(loss.process).pid);
  losses.push_back(fmt::format("{} {}{}: {}", meaning_of(loss.kind).name, loss.count, whose, loss.detail));
}

bool EventLog::lost(std::string_view kind) const {
  return std::any_of(losses.begin(), losses.end(), [&](const std::string& loss) { return loss.starts_with(kind); });
}

EventLog replayed(Trace& trace) {
  EventLog log(trace.tables());
  auto result = trace.replay(log);
  EXPECT_TRUE(result.has_value()) << (result ? "" : result.error().what);
  return log;
}

}  // namespace culprit
