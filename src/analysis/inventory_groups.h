// Handles that are many of a kind: what a leak looks like from outside.
#pragma once

#include <span>
#include <vector>

#include "analysis/inventory_report.h"

namespace culprit {

struct GroupedHandles {
  std::vector<InventoryGroup> groups;  // most first
  std::vector<size_t> alone;           // indices of those in no group, ascending
  std::vector<size_t> examples;        // one of each group, in the order of `groups`
};

// Of the chosen ones (indices, ascending), ten or more of equal name make a group. Where there are more than
// `readable`, also those of one folder, and nameless ones of one type.
GroupedHandles group_handles(const std::vector<OpenHandle>& handles, std::span<const size_t> chosen, size_t readable);

}  // namespace culprit
