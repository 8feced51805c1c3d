#include "analysis/heap_growth.h"

#include <algorithm>
#include <unordered_map>

namespace culprit {

const SizeGrowth* HeapGrowth::suspect() const {
  // A few blocks more may be a moment's chance.
  constexpr uint64_t enough_blocks = 3;
  if (sizes.empty() || sizes.front().more_blocks() < enough_blocks) return nullptr;
  return sizes.front().more_bytes() * 2 > more_bytes ? &sizes.front() : nullptr;
}

HeapGrowth growth_between(const HeapReport& first, const HeapReport& second, double seconds) {
  HeapGrowth growth;
  growth.seconds = seconds;
  growth.in_use = second.in_use;
  growth.stopped_for = std::max(first.stopped_for, second.stopped_for);
  growth.exact = first.exact && second.exact;
  growth.losses = second.losses.empty() ? first.losses : second.losses;
  std::unordered_map<uint64_t, HeapCount> before;
  for (const HeapGroup& group : first.groups) before[group.size.value_or(0)] = group.count;
  for (const HeapGroup& group : second.groups) {
    const SizeGrowth size{group.size.value_or(0), before[group.size.value_or(0)], group.count};
    if (size.after.blocks <= size.before.blocks || size.after.bytes <= size.before.bytes) continue;
    growth.more_bytes += size.more_bytes();
    growth.sizes.push_back(size);
  }
  std::ranges::sort(growth.sizes, std::greater<>(), &SizeGrowth::more_bytes);
  return growth;
}

// A block holds a multiple of 16 and 8 more bytes; one with a mapping of its own whole pages, less two words.
BlockSizes asked_sizes(uint64_t size) {
  constexpr uint64_t page = 4096, step = 16, smallest = 24;
  if (size <= smallest) return {0, size};
  return {size - ((size + step) % page == 0 ? page : step) + 1, size};
}

}  // namespace culprit
