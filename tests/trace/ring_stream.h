// An endless stream of opens and closes of which everything is known: event number i has the time start + i, and what
// is open after it can be told without any recording.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <random>
#include <string>

#include "support/sample_events.h"
#include "trace/trace_writer.h"

namespace culprit {

class RingStream : public OpenHandleSource {
 public:
  static constexpr Time start = 10'000;
  static constexpr size_t lag = 40;  // the source is that many events behind what was recorded

  explicit RingStream(uint64_t seed = 1) : random_(seed) {}

  HandleEvent next() {
    int64_t value = static_cast<int64_t>(random_() % 300);
    Time time = start + count_++;
    HandleEvent event = open_.contains(value) ? sample.closed(time, value) : sample.opened(time, value);
    // Names that do not compress, so that few events fill a lap.
    if (event.action == HandleAction::open)
      event.name =
          sample.tables.intern(std::to_string(random_()) + std::to_string(random_()) + std::to_string(random_()));
    apply(event, open_);
    return event;
  }
  void send_next(EventSink& sink) {
    HandleEvent event = next();
    sink.on_handle(event);
    held_.push_back(event);
    while (held_.size() > lag) settle_one();
  }

  using Open = std::map<int64_t, HandleEvent>;
  static void apply(const HandleEvent& event, Open& open) {
    if (event.action == HandleAction::close) {
      open.erase(event.value);
    } else {
      open[event.value] = event;
    }
  }

  std::optional<Moment> settle(bool) override { return Moment{start + static_cast<Time>(settled_) - 1, settled_}; }
  void send_tables(const std::function<void(const CarriedTable&)>& send) override {
    CarriedTable table{.as_of = start + static_cast<Time>(settled_) - 1, .owner = sample.server, .has_baseline = true};
    table.processes.push_back({.process = sample.server, .parent = sample.shell, .start = 1000, .created = settled_});
    for (const auto& [value, event] : settled_open_) table.handles.push_back(carried(event));
    send(table);
  }
  static CarriedHandle carried(const HandleEvent& event) {
    return {.value = event.value,
            .created = event.time,
            .made = event.time,
            .object = static_cast<uint64_t>(event.time),
            .type = event.type,
            .call_type = event.type,
            .name = event.name,
            .call = event.call,
            .stack = event.stack,
            .creating = event.process,
            .owning = event.process,
            .tid = event.tid};
  }

  SampleProgram sample;

 private:
  void settle_one() {
    apply(held_.front(), settled_open_);
    held_.pop_front();
    ++settled_;
  }

  std::mt19937_64 random_;
  int64_t count_ = 0;
  Open open_;
  std::deque<HandleEvent> held_;
  Open settled_open_;
  uint64_t settled_ = 0;
};

// What a recording of such a stream holds, checked against the stream itself.
class RingWindow : public EventSink {
 public:
  explicit RingWindow(Trace& trace, uint64_t seed = 1) : trace_(trace) {
    EXPECT_TRUE(trace.replay(*this));
    check(seed);
  }

  uint64_t events = 0, carried = 0;
  Time first = 0, last = 0;
  std::map<std::string, uint64_t> losses;

  void on_handle(const HandleEvent& event) override {
    if (events++ == 0) first = event.time;
    last = event.time;
    lines_.push_back(line_of(event.time, event.value, event.action, trace_.tables().text(event.name)));
  }
  void on_process(const ProcessEvent&) override {}
  void on_thread(const ThreadEvent&) override {}
  void on_snapshot(const HandleSnapshot&) override {}
  void on_mark(const Mark&) override {}
  void on_loss(const Loss& loss) override { losses[std::string(meaning_of(loss.kind).name)] += loss.count; }
  void on_carried(const CarriedTable& table) override {
    EXPECT_EQ(events, 0u);
    EXPECT_EQ(trace_.tables().process(table.owner).name, "server");
    for (const CarriedHandle& handle : table.handles) {
      ++carried;
      carried_.push_back(line_of(handle.created, handle.value, HandleAction::open, trace_.tables().text(handle.name)));
      EXPECT_EQ(trace_.tables().stacks.frames(handle.stack).size(), 3u);
    }
  }

 private:
  static std::string line_of(Time time, int64_t value, HandleAction action, std::string_view name) {
    return std::to_string(time) + " " + std::to_string(value) + (action == HandleAction::close ? " close " : " open ") +
           std::string(name);
  }

  // The events are those of the stream from one moment to another, all of them; and what the past left open is what the
  // stream had left open at that moment.
  void check(uint64_t seed) {
    if (events == 0) return;
    EXPECT_EQ(static_cast<uint64_t>(last - first + 1), events);
    RingStream stream(seed);
    RingStream::Open open;
    for (Time time = RingStream::start; time < first; ++time) RingStream::apply(stream.next(), open);
    std::vector<std::string> expected;
    if (first > RingStream::start) {
      EXPECT_EQ(trace_.info().complete_from, first - 1);
      for (const auto& [value, event] : open)
        expected.push_back(line_of(event.time, event.value, event.action, stream.sample.tables.text(event.name)));
    }
    EXPECT_EQ(carried_, expected);
    expected.clear();
    for (Time time = first; time <= last; ++time) {
      HandleEvent event = stream.next();
      expected.push_back(line_of(event.time, event.value, event.action, stream.sample.tables.text(event.name)));
    }
    EXPECT_TRUE(lines_ == expected);
    uint64_t fallen = losses.contains("window_moved_on") ? losses.at("window_moved_on") : 0;
    EXPECT_EQ(fallen, static_cast<uint64_t>(first - RingStream::start));
  }

  Trace& trace_;
  std::vector<std::string> lines_, carried_;
};

}  // namespace culprit
