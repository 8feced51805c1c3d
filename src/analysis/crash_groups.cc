#include "analysis/crash_groups.h"

#include <algorithm>

namespace culprit {

size_t CrashGroups::crashes() const {
  size_t count = 0;
  for (const CrashGroup& group : groups) count += group.targets.size();
  return count;
}

void add_crash(CrashGroups& groups, CrashReport report) {
  auto known =
      std::ranges::find_if(groups.groups, [&](const CrashGroup& group) { return group.first.bucket == report.bucket; });
  std::string target = report.target;
  if (known == groups.groups.end()) known = groups.groups.insert(known, {std::move(report), {}});
  known->targets.push_back(std::move(target));
}

void sort_groups(CrashGroups& groups) {
  std::ranges::stable_sort(groups.groups, std::ranges::greater{},
                           [](const CrashGroup& group) { return group.targets.size(); });
}

}  // namespace culprit
