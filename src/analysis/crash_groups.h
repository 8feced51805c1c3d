// Many crashes as few bugs: grouped by bucket.
#pragma once

#include <string>
#include <vector>

#include "analysis/crash_report.h"

namespace culprit {

struct CrashGroup {
  CrashReport first;                 // the page of the first one
  std::vector<std::string> targets;  // in the order in which they were asked for
};

struct UnreadCrash {
  std::string target, why;
};

struct CrashGroups {
  std::vector<CrashGroup> groups;   // the most frequent first
  std::vector<UnreadCrash> unread;  // that could not be looked at
  size_t crashes() const;           // in the groups
};

void add_crash(CrashGroups& groups, CrashReport report);
// When all are there.
void sort_groups(CrashGroups& groups);

}  // namespace culprit
