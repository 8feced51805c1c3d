#include "shell/handle_watch.h"

#include <fmt/core.h>
#include <time.h>

#include <algorithm>

#include "base/syscall.h"
#include "capture/handle_count.h"
#include "capture/tsc_clock.h"
#include "capture/watch_filter.h"
#include "target/handle_links.h"

namespace culprit {
namespace {

constexpr size_t shown_processes = 10;

std::string name_of_process(uint32_t pid) {
  auto name = read_whole_file(fmt::format("/proc/{}/comm", pid), 64);
  while (name && !name->empty() && name->back() == '\n') name->pop_back();
  return name ? *name : "?";
}

std::vector<std::pair<std::string, uint64_t>> most_first(const std::map<std::string_view, uint64_t>& counts) {
  std::vector<std::pair<std::string, uint64_t>> types(counts.begin(), counts.end());
  std::ranges::sort(
      types, [](const auto& a, const auto& b) { return std::pair(b.second, a.first) < std::pair(a.second, b.first); });
  return types;
}

}  // namespace

HandleWatch::HandleWatch(uint32_t pid) : pid_(pid) {}

void HandleWatch::count_changes() { counter_ = std::make_unique<ChangeCounter>(pid_); }

void HandleWatch::round() {
  if (counter_) counter_->round();
}

void HandleWatch::add_rates(WatchedCount& process, double seconds) {
  const ChangeCounter::Changes changes = counter_->of(process.pid);
  process.made_per_second = static_cast<double>(changes.made) / seconds;
  process.closed_per_second = static_cast<double>(changes.closed) / seconds;
}

Result<WatchedCount> HandleWatch::look_at(uint32_t pid, Time now, bool with_types) {
  WatchedCount process;
  process.pid = pid;
  process.limit = handle_limit_of(pid);
  if (with_types) {
    auto types = count_handle_types(pid);
    if (!types) return tl::unexpected<Error>(std::move(types).error());
    process.types = most_first(*types);
    for (const auto& [type, count] : process.types) process.open += count;
  } else {
    auto count = count_handles(pid);
    if (!count) return fail(ErrorKind::gone, fmt::format("process {} is gone", pid));
    process.open = *count;
  }
  Known& known = known_[pid];
  known.seen = now;
  if (known.name.empty()) known.name = name_of_process(pid);
  process.name = known.name;
  known.window.add(now, process.open);
  auto trend = known.window.trend();
  if (trend && trend->is_growing()) process.growth_per_second = trend->per_second;
  if (process.limit != 0) process.seconds_to_limit = known.window.seconds_until(process.limit);
  return process;
}

Result<WatchLook> HandleWatch::look() {
  const bool has_rates = counter_ && counter_->next_look() && last_look_ != 0;
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
      if (has_rates && seconds > 0) add_rates(*process, seconds);
      look.processes.push_back(std::move(*process));
    } else if (pid_ != 0) {
      return tl::unexpected<Error>(std::move(process).error());
    }
  }
  std::erase_if(known_, [&](const auto& known) { return known.second.seen != now; });
  std::ranges::stable_sort(look.processes, [](const auto& a, const auto& b) { return a.open > b.open; });
  if (look.processes.size() > shown_processes) {
    look.processes_left_out = look.processes.size() - shown_processes;
    look.processes.resize(shown_processes);
  }
  return look;
}

}  // namespace culprit
