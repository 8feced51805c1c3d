#include "capture/event_order.h"

#include <algorithm>

namespace culprit {

void EventOrder::send(const Entry& entry) {
  switch (entry.kind) {
    case Kind::handle:
      return sink_.on_handle(handles_[entry.index]);
    case Kind::process:
      return sink_.on_process(processes_[entry.index]);
    case Kind::thread:
      return sink_.on_thread(threads_[entry.index]);
    case Kind::snapshot:
      return sink_.on_snapshot(snapshots_[entry.index]);
    case Kind::mark:
      return sink_.on_mark(marks_[entry.index]);
  }
}

void EventOrder::release(Time until) {
  if (entries_.empty()) return;
  auto earlier = [](const Entry& a, const Entry& b) { return a.time < b.time; };
  if (!std::is_sorted(entries_.begin(), entries_.end(), earlier)) {
    std::stable_sort(entries_.begin(), entries_.end(), earlier);
  }
  size_t count = 0;
  for (; count < entries_.size() && (entries_[count].time < until || until == INT64_MAX); count++)
    send(entries_[count]);
  if (count > 0) keep_only(count);
}

void EventOrder::keep_only(size_t first) {
  EventOrder rest(sink_);
  for (size_t i = first; i < entries_.size(); i++) {
    const Entry& entry = entries_[i];
    switch (entry.kind) {
      case Kind::handle:
        rest.add(handles_[entry.index]);
        break;
      case Kind::process:
        rest.add(processes_[entry.index]);
        break;
      case Kind::thread:
        rest.add(threads_[entry.index]);
        break;
      case Kind::snapshot:
        rest.add(std::move(snapshots_[entry.index]));
        break;
      case Kind::mark:
        rest.add(marks_[entry.index]);
        break;
    }
  }
  entries_ = std::move(rest.entries_);
  handles_ = std::move(rest.handles_);
  processes_ = std::move(rest.processes_);
  threads_ = std::move(rest.threads_);
  snapshots_ = std::move(rest.snapshots_);
  marks_ = std::move(rest.marks_);
}

}  // namespace culprit
