// links: trace
// Recordings: bytes per event, speed of writing and of reading them, on made-up but realistic streams of events.
#include <benchmark/benchmark.h>
#include <sys/resource.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>

#include "trace/trace_reader.h"
#include "trace/trace_writer.h"

namespace culprit {
namespace {

TraceTables& tables() {
  static TraceTables tables = [] {
    TraceTables made;
    made.modules.push_back({.path = "/usr/bin/program", .build_id = "0123456789abcdef0123456789abcdef01234567"});
    made.processes.push_back({.pid = 100, .name = "program", .command = "program"});
    return made;
  }();
  return tables;
}

StackId stack_of(uint64_t seed, int depth) {
  std::mt19937_64 random(seed);
  StackId stack = StackId::none;
  for (int i = 0; i < depth; ++i) {
    // Outer frames are shared by many stacks.
    uint64_t choice = i < depth / 2 ? static_cast<uint64_t>(i) : random() % 4096;
    stack = tables().stacks.intern(stack, {id_at<ModuleId>(1), 0x1000 + 16 * choice});
  }
  return stack;
}

// An open+close loop, 16 frames deep, where each call takes 400 ns, give or take 60.
void send_loop(EventSink& sink, int64_t events) {
  std::mt19937_64 random(1);
  std::normal_distribution<double> step(400, 60);
  HandleEvent open{.value = 3,
                   .process = id_at<ProcessId>(1),
                   .tid = 100,
                   .stack = stack_of(1, 16),
                   .call = tables().intern("openat"),
                   .type = tables().intern("file"),
                   .name = tables().intern("/dev/null")};
  HandleEvent close{.value = 3,
                    .process = id_at<ProcessId>(1),
                    .tid = 100,
                    .stack = stack_of(2, 16),
                    .call = tables().intern("close"),
                    .action = HandleAction::close};
  Time time = 1'000'000'000;
  for (int64_t i = 0; i < events; ++i) {
    HandleEvent& event = i % 2 == 0 ? open : close;
    event.time = time += std::max<int64_t>(100, std::lround(step(random)));
    sink.on_handle(event);
  }
}

// Eight threads, drained one after another every millisecond; 200 places that open, 60 that close, 2000 names, lives of
// very different length, pauses of very different length, and some handles that are never closed.
void send_mixed(EventSink& sink, int64_t events) {
  constexpr int threads = 8;
  std::mt19937_64 random(2);
  std::lognormal_distribution<double> pause(std::log(2000.0), 1.0);
  std::vector<HandleEvent> opens, closes;
  for (uint64_t i = 0; i < 200; ++i) {
    opens.push_back({.process = id_at<ProcessId>(1),
                     .stack = stack_of(100 + i, 20),
                     .call = tables().intern(i % 3 == 0 ? "socket" : "openat"),
                     .type = tables().intern(i % 3 == 0 ? "socket" : "file")});
  }
  for (uint64_t i = 0; i < 60; ++i) {
    closes.push_back({.process = id_at<ProcessId>(1),
                      .stack = stack_of(1000 + i, 18),
                      .call = tables().intern("close"),
                      .action = HandleAction::close});
  }
  std::vector<StringId> names;
  for (int i = 0; i < 2000; ++i)
    names.push_back(tables().intern("/var/lib/program/data/" + std::to_string(random() % 100000) + ".dat"));
  struct Thread {
    Time time = 1'000'000'000;
    std::vector<int64_t> open;
  };
  Thread all[threads];
  int64_t next_value = 3;
  std::vector<int64_t> free_values;
  std::geometric_distribution<int> popular(0.04), popular_name(0.01);
  Time until = 1'000'000'000;
  for (int64_t sent = 0; sent < events;) {
    until += 1'000'000;
    for (uint32_t t = 0; t < threads && sent < events; ++t) {
      Thread& thread = all[t];
      for (; thread.time < until && sent < events; ++sent) {
        thread.time += std::max<int64_t>(80, std::lround(pause(random)));
        HandleEvent event;
        if (thread.open.size() < 4 || (thread.open.size() < 30 && random() % 2 == 0)) {
          size_t place = static_cast<size_t>(popular(random)) % opens.size();
          event = opens[place];
          // A place opens few files; one in eight opens any.
          if (place % 3 != 0)
            event.name = names[place % 8 == 0 ? static_cast<size_t>(popular_name(random)) % names.size() : place];
          if (free_values.empty()) free_values.push_back(next_value++);
          event.value = free_values.back();
          free_values.pop_back();
          if (random() % 500 != 0) thread.open.push_back(event.value);
        } else {
          size_t which = random() % 4 == 0 ? random() % thread.open.size() : thread.open.size() - 1;
          event = closes[which % closes.size()];
          event.value = thread.open[which];
          thread.open.erase(thread.open.begin() + static_cast<ptrdiff_t>(which));
          free_values.push_back(event.value);
        }
        event.time = thread.time;
        event.tid = 100 + t;
        sink.on_handle(event);
      }
    }
  }
}

using Stream = void (*)(EventSink&, int64_t);

struct Nothing : EventSink {
  int64_t events = 0;
  void on_handle(const HandleEvent& event) override { events += event.value >= 0 ? 1 : 0; }
  void on_process(const ProcessEvent&) override {}
  void on_thread(const ThreadEvent&) override {}
  void on_snapshot(const HandleSnapshot&) override {}
  void on_mark(const Mark&) override {}
  void on_loss(const Loss&) override {}
};

std::unique_ptr<TraceWriter> recorded(Stream stream, int64_t events) {
  auto writer = TraceWriter::create_temporary(tables(), {});
  if (!writer) std::abort();
  stream(**writer, events);
  if (!(*writer)->finish({})) std::abort();
  return std::move(*writer);
}

void write_recording(benchmark::State& state, Stream stream) {
  const int64_t events = state.range(0);
  uint64_t bytes = 0;
  for (auto _ : state) bytes = recorded(stream, events)->bytes_written();
  state.counters["bytes_per_event"] = static_cast<double>(bytes) / static_cast<double>(events);
  state.counters["events"] =
      benchmark::Counter(static_cast<double>(events), benchmark::Counter::kIsIterationInvariantRate);
}

// What the stream itself costs, to be taken off from write_recording.
void make_events(benchmark::State& state, Stream stream) {
  for (auto _ : state) {
    Nothing nothing;
    stream(nothing, state.range(0));
    benchmark::DoNotOptimize(nothing.events);
  }
}

void open_and_replay(benchmark::State& state, Stream stream) {
  const int64_t events = state.range(0);
  auto writer = recorded(stream, events);
  for (auto _ : state) {
    auto trace = writer->reopen();
    Nothing nothing;
    if (!trace || !(*trace)->replay(nothing) || nothing.events != events) std::abort();
  }
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  state.counters["peak_rss_mb"] = static_cast<double>(usage.ru_maxrss) / 1024;
  state.counters["events"] =
      benchmark::Counter(static_cast<double>(events), benchmark::Counter::kIsIterationInvariantRate);
}

constexpr int64_t ten_million = 10'000'000;
BENCHMARK_CAPTURE(make_events, loop, send_loop)->Arg(ten_million)->Unit(benchmark::kMillisecond)->Iterations(1);
BENCHMARK_CAPTURE(make_events, mixed, send_mixed)->Arg(ten_million)->Unit(benchmark::kMillisecond)->Iterations(1);
BENCHMARK_CAPTURE(write_recording, loop, send_loop)->Arg(ten_million)->Unit(benchmark::kMillisecond)->Iterations(1);
BENCHMARK_CAPTURE(write_recording, mixed, send_mixed)->Arg(ten_million)->Unit(benchmark::kMillisecond)->Iterations(1);
BENCHMARK_CAPTURE(open_and_replay, loop, send_loop)
    ->Arg(ten_million)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime()
    ->Iterations(3);
BENCHMARK_CAPTURE(open_and_replay, mixed, send_mixed)
    ->Arg(ten_million)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime()
    ->Iterations(3);

}  // namespace
}  // namespace culprit

BENCHMARK_MAIN();
