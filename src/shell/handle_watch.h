// Looks at the handles of processes at intervals, and remembers how they changed.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "analysis/trend.h"
#include "shell/change_counter.h"
#include "view/watch_report.h"

namespace culprit {

class HandleWatch {
 public:
  // 0: of the whole machine.
  explicit HandleWatch(uint32_t pid);

  // Counts what is made and closed between two looks, where the kernel tells (root); else looks only tell how many
  // there are.
  void count_changes();
  // Takes what the kernel told; often enough that its ring does not run full.
  void round();

  // Error: gone (the process has ended).
  Result<WatchLook> look();

 private:
  struct Known {
    TrendWindow window{60};
    std::string name;
    Time seen = 0;  // at the look at that time
  };
  Result<WatchedCount> look_at(uint32_t pid, Time now, bool with_types);
  void add_rates(WatchedCount& process, double seconds);

  uint32_t pid_;
  std::map<uint32_t, Known> known_;
  std::unique_ptr<ChangeCounter> counter_;
  Time last_look_ = 0;
};

}  // namespace culprit
