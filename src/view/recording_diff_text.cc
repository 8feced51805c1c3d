#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "view/answer_text.h"
#include "view/diff_views.h"
#include "view/totals_text.h"

namespace culprit {

namespace {

constexpr size_t modules_shown = 3;

std::string side_words(std::string_view which, const std::string& path, const AnswerBasis& basis, const DiffSide& total,
                       const TextStyle& style) {
  std::string words =
      fmt::format("{} {}: {} outstanding of {} made {} by {}", which, shown(path, 60), with_thousands(total.count),
                  with_thousands(total.created), window_words(basis), counted(basis.processes, "process", "processes"));
  return line_text(style, words);
}

std::string headline(const RecordingDiff& diff, const TextStyle& style) {
  const auto rows = [&](StackChange change) { return with_thousands(diff.rows_by[static_cast<size_t>(change)]); };
  const auto grown = static_cast<int64_t>(diff.total_after.count) - static_cast<int64_t>(diff.total_before.count);
  const auto amount = static_cast<uint64_t>(std::abs(grown));
  std::string words = "as many handles outstanding as before";
  if (grown != 0) {
    const std::string number = fmt::format("{} {}", with_thousands(amount), grown > 0 ? "more" : "fewer");
    words = fmt::format("{} {} outstanding than before", inked(style, grown > 0 ? Ink::strong : Ink::good, number),
                        amount == 1 ? "handle" : "handles");
  }
  words = fmt::format("culprit: {}; by type and stack: {} new, {} grew, {} shrank, {} went, {} the same", words,
                      rows(StackChange::appeared), rows(StackChange::grew), rows(StackChange::shrank),
                      rows(StackChange::went), rows(StackChange::same));
  return wrapped(words + filter_words(diff.after.filter), style.columns, 0, 9) + "\n";
}

std::string row_text(const DiffRow& row, const TextStyle& style) {
  const int64_t growth = row.growth();
  const std::string_view sign = growth > 0 ? "+" : growth < 0 ? "-" : "", arrow = style.unicode ? "→" : "->";
  const std::string number = fmt::format("{}{}", sign, with_thousands(static_cast<uint64_t>(std::abs(growth))));
  const std::string left =
      fmt::format("  {:>9}  {} {} ", number, padded(name_of(row.change), 6), padded(shown(row.type, 10), 10));
  const Ink ink = growth > 0 ? Ink::warning : growth < 0 ? Ink::good : Ink::plain;
  std::string text = inked(style, ink, left) + stack_paragraph(row.stack, style, display_width(left), 2) + "\n";
  const std::string words = fmt::format("{} {} {} outstanding of {} {} {} made", with_thousands(row.before.count),
                                        arrow, with_thousands(row.after.count), with_thousands(row.before.created),
                                        arrow, with_thousands(row.after.created));
  return text + inked(style, Ink::faint, std::string(display_width(left), ' ') + words) + "\n";
}

}  // namespace

std::string different_builds_text(const std::vector<std::string>& modules, const TextStyle& style) {
  if (modules.empty()) return "";
  std::string words = "different builds, whose frames were compared by function names: ";
  for (size_t i = 0; i < std::min(modules.size(), modules_shown); ++i)
    words += fmt::format("{}{}", i == 0 ? "" : ", ", shown(modules[i], 60));
  if (modules.size() > modules_shown) words += fmt::format(" and {} more", modules.size() - modules_shown);
  return line_text(style, words);
}

std::string recording_diff_as_text(const RecordingDiff& diff, const std::string& before, const std::string& after,
                                   const TextStyle& style) {
  std::string text = headline(diff, style);
  if (!diff.rows.empty()) text += "\n";
  for (const DiffRow& row : diff.rows) text += row_text(row, style);
  if (diff.rows_hidden != 0)
    text += fmt::format("  {} {} that changed less (--top N)\n", style.unicode ? "…" : "...",
                        counted(diff.rows_hidden, "more stack"));
  text += "\n" + side_words("before,", before, diff.before, diff.total_before, style) +
          side_words("after,", after, diff.after, diff.total_after, style) +
          different_builds_text(diff.modules_by_name, style);
  return text + losses_text(diff.losses, style);
}

}  // namespace culprit
