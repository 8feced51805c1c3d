#include "analysis/allocation_verdict.h"

#include <fmt/format.h>

#include "base/text.h"

namespace culprit {

namespace {

// How many looks show more than the one before, from the first on that shows anything.
struct Rises {
  size_t steps = 0, up = 0;
};
Rises rises_of(const AllocationTotal& total) {
  Rises rises;
  for (size_t i = 1; i < growth_looks; ++i) {
    if (total.looks[i - 1] == 0) continue;
    ++rises.steps;
    rises.up += total.looks[i] > total.looks[i - 1] ? 1 : 0;
  }
  return rises;
}

}  // namespace

bool is_growing(const AllocationTotal& total) {
  constexpr uint64_t grows_from = 5;  // blocks
  constexpr size_t steps_at_least = 3;
  if (total.left.blocks < grows_from) return false;
  const Rises rises = rises_of(total);
  const uint64_t end = total.looks.back(), half = total.looks[growth_looks / 2 - 1];
  return rises.steps >= steps_at_least && rises.up * 4 >= rises.steps * 3 && end > half + half / 10;
}

bool is_behind_others(const AllocationTotal& total) {
  return total.unreachable.blocks != 0 && total.indirect == total.unreachable.blocks;
}

AllocationVerdict allocation_verdict(const AllocationTotal& total) {
  if (total.unreachable.blocks != 0) return AllocationVerdict::unreachable;
  if (total.left.blocks == 0) return AllocationVerdict::none;
  return is_growing(total) ? AllocationVerdict::grows : AllocationVerdict::held;
}

std::string unreachable_words(const AllocationTotal& total) {
  const std::string_view who = is_behind_others(total) ? "only unreachable blocks" : "nothing";
  std::string words =
      total.unreachable.blocks == total.left.blocks
          ? fmt::format("{} pointed there at exit", who)
          : fmt::format("{} pointed to {} of them at exit", who, with_thousands(total.unreachable.blocks));
  if (total.indirect != 0 && !is_behind_others(total))
    words += fmt::format(", or only unreachable blocks did ({})", with_thousands(total.indirect));
  if (total.behind.blocks != 0)
    words += fmt::format("; behind them {} in {}", bytes_in_words(total.behind.bytes),
                         counted(total.behind.blocks, "more block"));
  return words;
}

std::string growth_words(const AllocationTotal& total) {
  return fmt::format("alive at a quarter, half, three quarters and the end of the time: {}, {}, {}, {}",
                     bytes_in_words(total.looks[1]), bytes_in_words(total.looks[3]), bytes_in_words(total.looks[5]),
                     bytes_in_words(total.looks[7]));
}

}  // namespace culprit
