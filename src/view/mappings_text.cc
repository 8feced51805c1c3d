#include "view/mappings_text.h"

#include <algorithm>
#include <vector>

#include "view/memory_words.h"
#include "view/stack_text.h"

namespace culprit {

namespace {

struct Row {
  std::string_view kind;
  std::string place;
  BlockCount count;
};

std::string row_lead(const BlockCount& count, std::string_view kind) {
  return fmt::format("    {:>9} in {:>7}  {} ", bytes_in_words(count.bytes), with_thousands(count.blocks),
                     padded(kind, 12));
}

// Stacks that differ in nothing that a line can show are one row.
std::vector<Row> rows_of(const MappingSummary& mappings, const TextStyle& style) {
  std::vector<Row> rows;
  for (const AllocationGroup& group : mappings.groups) {
    const size_t used = display_width(row_lead(group.outstanding, group.mapping));
    Row row{group.mapping,
            stack_phrase(group.stack, style.columns > used + 24 ? style.columns - used : 24, style.unicode),
            group.outstanding};
    auto same = std::ranges::find_if(
        rows, [&](const Row& other) { return other.kind == row.kind && other.place == row.place; });
    same == rows.end() ? rows.push_back(std::move(row)) : same->count.add(row.count);
  }
  return rows;
}

}  // namespace

std::string mappings_text(const MappingSummary& mappings, const TextStyle& style) {
  if (mappings.made.blocks == 0) return "";
  const std::string left = mappings.outstanding.blocks == 0
                               ? "nothing left"
                               : amount(mappings.outstanding, RecordedMemory::mappings) + " left";
  std::string text =
      line_text(style, fmt::format("mapped beside the allocator: {}, of {} made; at most {}, after {} (--mappings)",
                                   left, with_thousands(mappings.made.blocks), bytes_in_words(mappings.most.bytes),
                                   duration_in_words(mappings.most_at)));
  for (const Row& row : rows_of(mappings, style)) text += row_lead(row.count, row.kind) + row.place + "\n";
  if (mappings.groups_hidden != 0)
    text +=
        fmt::format("    {} and {} with {}\n", style.unicode ? "…" : "...",
                    counted(mappings.groups_hidden, "more group"), amount(mappings.hidden, RecordedMemory::mappings));
  return text;
}

}  // namespace culprit
