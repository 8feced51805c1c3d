#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "view/answer_text.h"
#include "view/diff_views.h"
#include "view/memory_diff_views.h"
#include "view/memory_words.h"
#include "view/totals_text.h"

namespace culprit {

namespace {

std::string signed_bytes(int64_t growth) {
  return fmt::format("{}{}",
                     growth > 0   ? "+"
                     : growth < 0 ? "-"
                                  : "",
                     bytes_in_words(static_cast<uint64_t>(std::abs(growth))));
}

std::string headline(const MemoryDiff& diff, const TextStyle& style) {
  const auto rows = [&](StackChange change) { return with_thousands(diff.rows_by[static_cast<size_t>(change)]); };
  const auto grown =
      static_cast<int64_t>(diff.after.outstanding.bytes) - static_cast<int64_t>(diff.before.outstanding.bytes);
  std::string words = "as much memory is left as before";
  if (grown != 0)
    words = fmt::format(
        "{} {} left than before",
        inked(style, grown > 0 ? Ink::strong : Ink::good, bytes_in_words(static_cast<uint64_t>(std::abs(grown)))),
        grown > 0 ? "more" : "less");
  words = fmt::format("culprit: {}; by stack: {} new, {} grew, {} shrank, {} went, {} the same", words,
                      rows(StackChange::appeared), rows(StackChange::grew), rows(StackChange::shrank),
                      rows(StackChange::went), rows(StackChange::same));
  return wrapped(words, style.columns, 0, 9) + "\n";
}

std::string row_text(const MemoryDiffRow& row, RecordedMemory kind, const TextStyle& style) {
  const int64_t growth = row.growth();
  const std::string_view arrow = style.unicode ? "→" : "->";
  const std::string left = fmt::format("  {:>10}  {} ", signed_bytes(growth), padded(name_of(row.change), 6));
  const Ink ink = growth > 0 ? Ink::warning : growth < 0 ? Ink::good : Ink::plain;
  std::string text = inked(style, ink, left) + stack_paragraph(row.stack, style, display_width(left), 2) + "\n";
  const std::string words =
      fmt::format("{} {} {} left in {} {} {}", bytes_in_words(row.before.bytes), arrow, bytes_in_words(row.after.bytes),
                  with_thousands(row.before.blocks), arrow, counted(row.after.blocks, noun_of(kind)));
  return text + inked(style, Ink::faint, std::string(display_width(left), ' ') + words) + "\n";
}

std::string side_words(std::string_view which, const std::string& name, const MemoryDiffSide& side, RecordedMemory kind,
                       const TextStyle& style) {
  return line_text(style, fmt::format("{} {}: {} left, of {} made from {} to {}", which, shown(name, 60),
                                      amount(side.outstanding, kind), made_words(side.made.blocks, kind),
                                      duration_in_words(side.from), duration_in_words(side.to)));
}

}  // namespace

std::string memory_diff_as_text(const MemoryDiff& diff, const MemoryDiffNames& names, const TextStyle& style) {
  std::string text = headline(diff, style);
  if (!diff.rows.empty()) text += "\n";
  for (const MemoryDiffRow& row : diff.rows) text += row_text(row, diff.kind, style);
  if (diff.rows_hidden != 0)
    text += fmt::format("  {} {} that changed less (--top N)\n", style.unicode ? "…" : "...",
                        counted(diff.rows_hidden, "more stack"));
  text += "\n" + side_words("before,", names.before, diff.before, diff.kind, style) +
          side_words("after,", names.after, diff.after, diff.kind, style) +
          different_builds_text(diff.modules_by_name, style);
  return text + losses_text(diff.losses, style);
}

}  // namespace culprit
