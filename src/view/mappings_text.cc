#include "view/mappings_text.h"

#include "view/memory_words.h"
#include "view/stack_text.h"

namespace culprit {

std::string mappings_text(const MappingSummary& mappings, const TextStyle& style) {
  if (mappings.made.blocks == 0) return "";
  const std::string left = mappings.outstanding.blocks == 0
                               ? "nothing left"
                               : amount(mappings.outstanding, RecordedMemory::mappings) + " left";
  std::string text =
      line_text(style, fmt::format("mapped beside the allocator: {}, of {} made; at most {}, after {} (--mappings)",
                                   left, with_thousands(mappings.made.blocks), bytes_in_words(mappings.most.bytes),
                                   duration_in_words(mappings.most_at)));
  for (const AllocationGroup& group : mappings.groups) {
    const std::string line = fmt::format("    {:>9} in {:>7}  {} ", bytes_in_words(group.outstanding.bytes),
                                         with_thousands(group.outstanding.blocks), padded(group.mapping, 12));
    const size_t used = display_width(line);
    text += line + blamed_phrase(group.stack, style.columns > used + 24 ? style.columns - used : 24) + "\n";
  }
  if (mappings.groups_hidden != 0)
    text +=
        fmt::format("    {} and {} with {}\n", style.unicode ? "…" : "...",
                    counted(mappings.groups_hidden, "more group"), amount(mappings.hidden, RecordedMemory::mappings));
  return text;
}

}  // namespace culprit
