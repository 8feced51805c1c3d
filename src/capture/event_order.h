// Puts events that come out of many rings in order of time before they go to the sink.
#pragma once

#include <cstdint>
#include <vector>

#include "model/event_sink.h"

namespace culprit {

// Holds what was added until release() says that nothing earlier is to be expected. Equal times keep the order of
// adding.
class EventOrder {
 public:
  explicit EventOrder(EventSink& sink) : sink_(sink) {}

  void add(const HandleEvent& event) { entries_.push_back({event.time, Kind::handle, put(handles_, event)}); }
  void add(const ProcessEvent& event) { entries_.push_back({event.time, Kind::process, put(processes_, event)}); }
  void add(const ThreadEvent& event) { entries_.push_back({event.time, Kind::thread, put(threads_, event)}); }
  void add(HandleSnapshot snapshot) {
    Time time = snapshot.begin;
    entries_.push_back({time, Kind::snapshot, put(snapshots_, std::move(snapshot))});
  }
  void add(const Mark& mark) { entries_.push_back({mark.time, Kind::mark, put(marks_, mark)}); }

  // Sends everything before `until` to the sink, in order.
  void release(Time until);
  void release_all() { release(INT64_MAX); }

 private:
  enum class Kind : uint8_t { handle, process, thread, snapshot, mark };
  struct Entry {
    Time time;
    Kind kind;
    uint32_t index;
  };
  template <typename Event>
  static uint32_t put(std::vector<Event>& pool, Event event) {
    pool.push_back(std::move(event));
    return static_cast<uint32_t>(pool.size() - 1);
  }
  void send(const Entry& entry);
  void keep_only(size_t first);

  EventSink& sink_;
  std::vector<Entry> entries_;
  std::vector<HandleEvent> handles_;
  std::vector<ProcessEvent> processes_;
  std::vector<ThreadEvent> threads_;
  std::vector<HandleSnapshot> snapshots_;
  std::vector<Mark> marks_;
};

}  // namespace culprit
