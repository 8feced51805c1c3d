#include "target/standing_time.h"

#include <fmt/core.h>
#include <sched.h>

#include <map>
#include <thread>

#include "base/syscall.h"
#include "format/procfs.h"
#include "target/raised_priority.h"

namespace culprit {

namespace {

constexpr size_t file_limit = 65536;

std::optional<uint64_t> last_run(const std::string& thread) {
  auto text = read_whole_file(fmt::format("/proc/{}/sched", thread), file_limit);
  return text ? parse_last_run(*text) : std::nullopt;
}

// By the clock with which the scheduler notes on this processor when a thread has run: ours, that runs here just now.
std::optional<uint64_t> now_on(int processor) {
  cpu_set_t only;
  CPU_ZERO(&only);
  CPU_SET(processor, &only);
  if (processor < 0 || processor >= CPU_SETSIZE || sched_setaffinity(0, sizeof only, &only) != 0) return {};
  sched_yield();  // else it was noted at the last tick
  return last_run("thread-self");
}

}  // namespace

std::vector<std::optional<double>> standing_times(std::span<const StandingThread> threads) {
  struct Ran {
    size_t index;
    uint64_t at;
  };
  std::vector<std::optional<double>> times(threads.size());
  std::map<int, std::vector<Ran>> by_processor;
  for (size_t i = 0; i < threads.size(); i++) {
    const std::string thread = fmt::format("{}/task/{}", threads[i].pid, threads[i].tid);
    auto at = last_run(thread);
    auto text = read_whole_file(fmt::format("/proc/{}/stat", thread), file_limit);
    auto stat = text ? parse_stat(*text) : std::nullopt;
    if (at && stat) by_processor[stat->processor].push_back({i, *at});
  }
  if (by_processor.empty()) return times;
  // A thread of its own, as it moves from processor to processor.
  std::thread([&] {
    const RaisedPriority raised;
    for (const auto& [processor, ran] : by_processor) {
      const auto now = now_on(processor);
      for (const Ran& thread : ran)
        if (now && *now >= thread.at) times[thread.index] = static_cast<double>(*now - thread.at) / 1e9;
    }
  }).join();
  return times;
}

}  // namespace culprit
