// One look of `culprit watch`: how many handles there are, and where that goes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "view/text_style.h"

namespace culprit {

struct WatchedCount {
  uint32_t pid = 0;
  std::string name;
  uint64_t open = 0;
  uint64_t limit = 0;                                        // soft RLIMIT_NOFILE; 0: unknown
  std::vector<std::pair<std::string, uint64_t>> types;       // most first; empty: not looked at
  std::optional<double> made_per_second, closed_per_second;  // when a back end counts them
  std::optional<double> growth_per_second;                   // by regression over the window; when it is a growth
  std::optional<double> seconds_to_limit;
};

struct WatchLook {
  int64_t wall_clock_ns = 0;
  std::vector<WatchedCount> processes;  // of all: those with the most handles, most first
  uint64_t processes_left_out = 0;
  uint64_t machine_open = 0, machine_most = 0;  // /proc/sys/fs/file-nr; 0: unknown
};

std::string watch_as_text(const WatchLook& look, const TextStyle& style);
std::string watch_as_json(const WatchLook& look);        // one line
std::string watch_as_prometheus(const WatchLook& look);  // text exposition format 0.0.4

}  // namespace culprit
