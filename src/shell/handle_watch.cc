#include "shell/handle_watch.h"

#include <fmt/core.h>
#include <time.h>

#include <algorithm>

#include "base/syscall.h"
#include "capture/handle_count.h"
#include "capture/snapshot.h"
#include "capture/tsc_clock.h"
#include "capture/watch_filter.h"

namespace culprit {
namespace {

constexpr size_t shown_processes = 10;

std::string name_of_process(uint32_t pid) {
  auto name = read_whole_file(fmt::format("/proc/{}/comm", pid), 64);
  while (name && !name->empty() && name->back() == '\n') name->pop_back();
  return name ? *name : "?";
}

std::vector<std::pair<std::string, uint64_t>> types_in(const HandleSnapshot& table, const TraceTables& tables) {
  std::map<StringId, uint64_t> counts;
  for (const SnapshotEntry& entry : table.entries) counts[entry.type]++;
  std::vector<std::pair<std::string, uint64_t>> types;
  for (auto [type, count] : counts) types.emplace_back(tables.text(type), count);
  std::ranges::sort(
      types, [](const auto& a, const auto& b) { return std::pair(b.second, a.first) < std::pair(a.second, b.first); });
  return types;
}

}  // namespace

// The kernel's events, of which only the number counts.
struct HandleWatch::Counter final : EventSink {
  struct Changes {
    uint64_t made = 0, closed = 0;
  };
  TraceTables tables;
  std::unique_ptr<LiveRecorder> recorder;
  std::map<uint32_t, Changes> changes;  // by pid, since the last look
  bool is_exact = true;

  void on_handle(const HandleEvent& event) override {
    Changes& of_process = changes[tables.process(event.process).pid];
    (event.action == HandleAction::close || event.action == HandleAction::close_range ? of_process.closed
                                                                                      : of_process.made)++;
  }
  void on_process(const ProcessEvent&) override {}
  void on_thread(const ThreadEvent&) override {}
  void on_snapshot(const HandleSnapshot&) override {}
  void on_mark(const Mark&) override {}
  void on_loss(const Loss& loss) override { is_exact &= loss.kind != LossKind::ring_full; }
};

HandleWatch::HandleWatch(uint32_t pid) : pid_(pid) {}
HandleWatch::~HandleWatch() = default;

void HandleWatch::count_changes() {
  auto counter = std::make_unique<Counter>();
  WatchRequest request;
  request.all = pid_ == 0;
  if (pid_ != 0) request.pids = {pid_};
  auto recording = start_live_recorder(request, Via::bpf, {}, counter->tables, *counter);
  if (!recording) return;
  counter->recorder = std::move(recording->recorder);
  counter_ = std::move(counter);
  last_look_ = monotonic_now();
}

void HandleWatch::round() {
  if (!counter_) return;
  counter_->recorder->round();
  counter_->recorder->hand_on_losses();
}

void HandleWatch::add_rates(WatchedCount& process, double seconds) {
  if (!counter_ || !counter_->is_exact || seconds <= 0) return;
  const Counter::Changes& changes = counter_->changes[process.pid];
  process.made_per_second = static_cast<double>(changes.made) / seconds;
  process.closed_per_second = static_cast<double>(changes.closed) / seconds;
}

Result<WatchedCount> HandleWatch::look_at(uint32_t pid, Time now, bool with_types) {
  WatchedCount process;
  process.pid = pid;
  process.limit = handle_limit_of(pid);
  if (with_types) {
    TraceTables tables;
    auto table = read_handle_table(pid, tables);
    if (!table) return tl::unexpected<Error>(std::move(table).error());
    process.open = table->entries.size();
    process.types = types_in(*table, tables);
  } else {
    auto count = count_handles(pid);
    if (!count) return fail(ErrorKind::gone, fmt::format("process {} is gone", pid));
    process.open = *count;
  }
  Known& known = known_[pid];
  if (known.name.empty()) known.name = name_of_process(pid);
  process.name = known.name;
  known.window.add(now, process.open);
  auto trend = known.window.trend();
  if (trend && trend->is_growing()) process.growth_per_second = trend->per_second;
  if (process.limit != 0) process.seconds_to_limit = known.window.seconds_until(process.limit);
  return process;
}

Result<WatchLook> HandleWatch::look() {
  round();
  Time now = monotonic_now();
  double seconds = last_look_ == 0 ? 0 : static_cast<double>(now - last_look_) / 1e9;
  last_look_ = now;
  timespec wall{};
  clock_gettime(CLOCK_REALTIME, &wall);
  WatchLook look;
  look.wall_clock_ns = wall.tv_sec * 1'000'000'000 + wall.tv_nsec;
  if (auto machine = machine_files()) {
    look.machine_open = machine->open;
    look.machine_most = machine->most;
  }
  WatchRequest everybody;
  everybody.all = true;
  for (uint32_t pid : pid_ != 0 ? std::vector{pid_} : processes_meant(everybody)) {
    auto process = look_at(pid, now, pid_ != 0);
    if (process) {
      add_rates(*process, seconds);
      look.processes.push_back(std::move(*process));
    } else if (pid_ != 0) {
      return tl::unexpected<Error>(std::move(process).error());
    }
  }
  std::erase_if(known_, [&](const auto& known) {
    return std::ranges::none_of(look.processes,
                                [&](const WatchedCount& process) { return process.pid == known.first; });
  });
  std::ranges::stable_sort(look.processes, [](const auto& a, const auto& b) { return a.open > b.open; });
  if (look.processes.size() > shown_processes) {
    look.processes_left_out = look.processes.size() - shown_processes;
    look.processes.resize(shown_processes);
  }
  if (counter_) counter_->changes.clear();
  return look;
}

}  // namespace culprit
