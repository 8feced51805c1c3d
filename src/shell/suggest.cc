#include "shell/suggest.h"

#include <algorithm>
#include <vector>

namespace culprit {

namespace {

// Optimal string alignment: insertions, deletions, substitutions, and swaps of neighbours, each of cost 1.
size_t slips_between(std::string_view from, std::string_view to) {
  std::vector<size_t> before_last(to.size() + 1), last(to.size() + 1), row(to.size() + 1);
  for (size_t column = 0; column <= to.size(); ++column) last[column] = column;
  for (size_t i = 1; i <= from.size(); ++i) {
    row[0] = i;
    for (size_t j = 1; j <= to.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (from[i - 1] != to[j - 1])});
      if (i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1])
        row[j] = std::min(row[j], before_last[j - 2] + 1);
    }
    std::swap(before_last, last);
    std::swap(last, row);
  }
  return last[to.size()];
}

}  // namespace

std::string_view nearest(std::string_view word, std::span<const std::string_view> candidates) {
  constexpr size_t longest_word = 40;  // nobody mistypes more than that, and the work is the product of the lengths
  if (word.empty() || word.size() > longest_word) return {};
  std::string_view best;
  size_t best_slips = std::max<size_t>(2, word.size() / 3) + 1;
  for (std::string_view candidate : candidates) {
    bool beginning = word.size() >= 2 && candidate.starts_with(word);
    size_t slips = beginning ? 1 : slips_between(word, candidate);
    if (slips < best_slips && slips < candidate.size()) {
      best = candidate;
      best_slips = slips;
    }
  }
  return best;
}

}  // namespace culprit
