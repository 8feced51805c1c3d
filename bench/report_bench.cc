// links: analysis trace
// Recording of 10 million events -> grouped report without symbols. Bars: 2 s, 300 MB.
#include <benchmark/benchmark.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <queue>
#include <random>

#include "analysis/build_handle_report.h"
#include "trace/trace_reader.h"
#include "trace/trace_writer.h"

namespace culprit {
namespace {

constexpr int64_t events = 10'000'000;
constexpr int stack_count = 1000, process_count = 8;

// A few processes that open and close from many places, 200 handles at a time, and forget one in a thousand.
bool record(const std::string& path) {
  TraceTables tables;
  tables.modules.push_back({.path = "/usr/local/bin/server", .build_id = "0123456789abcdef"});
  std::mt19937_64 random(1);
  std::vector<StackId> stacks;
  for (int i = 0; i < stack_count; ++i) {
    StackId stack = StackId::none;
    for (int depth = 0; depth < 16; ++depth) {
      stack = tables.stacks.intern(stack, {id_at<ModuleId>(1), 0x1000 + 16 * (depth < 8 ? depth : random() % 4096)});
    }
    stacks.push_back(stack);
  }
  for (uint32_t i = 1; i <= process_count; ++i) {
    tables.processes.push_back({.pid = 100 + i, .name = "server", .command = "server", .sight_reason = {}});
  }
  const StringId type = tables.intern("socket"), call = tables.intern("accept4"), close = tables.intern("close");
  const TraceInfo info{.recorded_by = "bench", .command = "server", .machine = "", .started = 1'000'000'000};
  auto writer = TraceWriter::create(path, tables, info);
  if (!writer) return false;
  Time now = info.started;
  std::vector<std::vector<int64_t>> open(process_count + 1);
  std::vector<int64_t> next(process_count + 1, 3);
  // The kernel gives the lowest free number.
  std::vector<std::priority_queue<int64_t, std::vector<int64_t>, std::greater<>>> free(process_count + 1);
  uint32_t p = 1;
  for (uint32_t i = 1; i <= process_count; ++i) (*writer)->on_process({.time = now, .process = id_at<ProcessId>(i)});
  for (int64_t i = 0; i < events; ++i) {
    now += 200 + static_cast<Time>(random() % 400);
    if (random() % 8 == 0) p = 1 + static_cast<uint32_t>(random() % process_count);
    const bool full = open[p].size() >= 200;
    HandleEvent event{
        .time = now, .process = id_at<ProcessId>(p), .tid = 100 + p, .stack = stacks[random() % stack_count]};
    if (!full && (open[p].empty() || random() % 2)) {
      event.value = free[p].empty() ? next[p]++ : free[p].top();
      if (!free[p].empty()) free[p].pop();
      event.call = call;
      event.type = type;
      if (random() % 1000 != 0) open[p].push_back(event.value);
    } else {
      std::swap(open[p][random() % open[p].size()], open[p].back());
      event.value = open[p].back();
      open[p].pop_back();
      free[p].push(event.value);
      event.call = close;
      event.action = HandleAction::close;
    }
    (*writer)->on_handle(event);
    if (i % 100'000 == 0) (*writer)->flush();
  }
  TraceInfo final = info;
  final.ended = now;
  return (*writer)->finish(final).has_value();
}

void report_without_symbols(benchmark::State& state) {
  const std::string path =
      std::filesystem::temp_directory_path() / ("report_bench." + std::to_string(::getpid()) + ".culprit");
  // In another process, so that the memory of writing is not counted.
  const pid_t child = ::fork();
  if (child == 0) ::_exit(record(path) ? 0 : 1);
  int status = 0;
  if (::waitpid(child, &status, 0) != child || status != 0) return state.SkipWithError("cannot write the recording");
  for (auto _ : state) {
    auto trace = open_trace(path);
    if (!trace) return state.SkipWithError(trace.error().what.c_str());
    auto report = build_handle_report(**trace, {}, {});
    if (!report) return state.SkipWithError(report.error().what.c_str());
    state.counters["groups"] = static_cast<double>(report->groups.size());
    state.counters["made"] = static_cast<double>(report->created);
  }
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  state.counters["peak_MB"] = static_cast<double>(usage.ru_maxrss) / 1024;
  state.counters["events_per_s"] = benchmark::Counter(
      static_cast<double>(events) * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
  state.counters["bytes_per_event"] = static_cast<double>(std::filesystem::file_size(path)) / events;
  std::filesystem::remove(path);
}
BENCHMARK(report_without_symbols)->Unit(benchmark::kSecond)->UseRealTime()->Iterations(3);

}  // namespace
}  // namespace culprit

BENCHMARK_MAIN();
