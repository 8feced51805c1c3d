#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "view/answer_text.h"
#include "view/heap_text.h"

namespace culprit {

namespace {

constexpr size_t most_arenas = 12;

std::string row(std::string_view arena, std::string_view committed, std::string_view in_use, std::string_view blocks,
                std::string_view free, std::string_view largest, std::string_view list, std::string_view fragmented) {
  return fmt::format("  {:<15}{:>10}{:>9}{:>11}{:>9}{:>9}{:>8}{:>6}\n", arena, committed, in_use, blocks, free, largest,
                     list, fragmented);
}

struct Totals {
  uint64_t reserved = 0, committed = 0, top = 0;
  HeapCount in_use, cached, fast, free;
};

Totals totals_of(const HeapReport& report) {
  Totals totals;
  for (const HeapArenaReport& arena : report.arenas) {
    totals.reserved += arena.reserved;
    totals.committed += arena.committed;
    totals.top += arena.top;
    totals.in_use.add(arena.in_use);
    totals.cached.add(arena.cached);
    totals.fast.add(arena.fast);
    totals.free.add(arena.free);
  }
  return totals;
}

// Free memory that is shut in between blocks, of all that the arena has.
std::string fragmentation(const HeapArenaReport& arena) {
  const std::string words = percent_words(arena.free.bytes + arena.fast.bytes, arena.committed);
  return words.empty() ? words : words + "%";
}

class SummaryText {
 public:
  SummaryText(const HeapReport& report, const HeapTextOptions& options)
      : report_(report), style_(options.style), all_(options.all), totals_(totals_of(report)) {}

  std::string print() {
    print_heading();
    if (!report_.arenas.empty()) print_arenas();
    if (report_.memory) print_memory(*report_.memory);
    return std::move(text_);
  }

 private:
  void line(std::string_view words, size_t indent) { text_ += line_text(style_, words, indent); }

  void print_heading() {
    if (report_.arenas.empty()) return;
    const uint64_t free = totals_.free.bytes + totals_.fast.bytes + totals_.cached.bytes + totals_.top;
    line(fmt::format("{}: {} in use in {}, {} free; {}, {}", heap_target_words(report_),
                     inked(style_, Ink::strong, bytes_in_words(totals_.in_use.bytes + report_.own_blocks.bytes)),
                     counted(totals_.in_use.blocks + report_.own_blocks.blocks, "block"), bytes_in_words(free),
                     counted(report_.arenas.size(), "arena"),
                     bytes_in_words(totals_.committed + report_.own_blocks.bytes) + " got from the kernel"),
         0);
  }

  void print_arenas() {
    text_ += "\n" + row("arena", "committed", "in use", "blocks", "free", "largest", "list", "frag");
    std::vector<uint32_t> order(report_.arenas.size());
    for (uint32_t i = 0; i < order.size(); ++i) order[i] = i;
    std::ranges::stable_sort(order, std::greater(), [&](uint32_t i) { return report_.arenas[i].committed; });
    const size_t shown_arenas = all_ ? order.size() : std::min(order.size(), most_arenas);
    for (size_t i = 0; i < shown_arenas; ++i) {
      const HeapArenaReport& arena = report_.arenas[order[i]];
      text_ += row(arena_words(report_, order[i]), bytes_in_words(arena.committed), bytes_in_words(arena.in_use.bytes),
                   with_thousands(arena.in_use.blocks), bytes_in_words(arena.free.bytes),
                   bytes_in_words(arena.largest_free), with_thousands(arena.free.blocks), fragmentation(arena));
    }
    if (shown_arenas < order.size())
      line(fmt::format("and {} more, with --all", counted(order.size() - shown_arenas, "arena")), 2);
    text_ += "\n";
    print_rest();
  }

  // "list" and "largest" are of the free blocks in bins; the other free memory is told here.
  void print_rest() {
    auto count = [this](std::string_view what, const HeapCount& counted_blocks) {
      if (counted_blocks.blocks != 0)
        line(fmt::format("{}: {}, {}", what, bytes_in_words(counted_blocks.bytes),
                         counted(counted_blocks.blocks, "block")),
             2);
    };
    count("blocks with mappings of their own", report_.own_blocks);
    count("free, kept by threads for themselves", totals_.cached);
    count("free, in fast bins", totals_.fast);
    line(fmt::format("never used, at the ends of arenas: {}; address space reserved: {}", bytes_in_words(totals_.top),
                     bytes_in_words(totals_.reserved)),
         2);
    if (report_.foreign_bytes != 0)
      line(fmt::format("within the heap, but not malloc's (got by sbrk): {}", bytes_in_words(report_.foreign_bytes)),
           2);
    text_ += "\n";
  }

  void print_memory(const MemoryReport& memory) {
    uint64_t resident = 0, mapped = 0;
    bool is_known = true;
    for (const MemoryUse& use : memory.uses) {
      resident += use.resident.value_or(0);
      is_known = is_known && use.resident;
      mapped += use.bytes;
    }
    line(is_known ? fmt::format("{} in memory, of {} mapped:", inked(style_, Ink::strong, bytes_in_words(resident)),
                                bytes_in_words(mapped))
                  : fmt::format("{} mapped:", inked(style_, Ink::strong, bytes_in_words(mapped))),
         0);
    for (const MemoryUse& use : memory.uses)
      text_ += fmt::format(
          "  {:<26}{:>10}{:>7}  {}\n", name_of(use.kind), bytes_in_words(use.resident.value_or(use.bytes)),
          is_known ? percent_words(use.resident.value_or(0), resident) + "%" : percent_words(use.bytes, mapped) + "%",
          is_known ? fmt::format("of {} in {}", bytes_in_words(use.bytes), counted(use.mappings, "mapping"))
                   : fmt::format("in {}", counted(use.mappings, "mapping")));
    print_anonymous(memory);
    text_ += "\n";
  }

  void print_anonymous(const MemoryReport& memory) {
    constexpr uint64_t worth_telling = 1 << 20;
    for (const AnonymousMapping& mapping : memory.anonymous) {
      if (mapping.resident.value_or(mapping.bytes) < worth_telling && !all_) continue;
      line(fmt::format("anonymous, from {:#x} on: {}{}", mapping.start,
                       bytes_in_words(mapping.resident.value_or(mapping.bytes)),
                       mapping.resident ? " of " + bytes_in_words(mapping.bytes) : ""),
           4);
    }
  }

  const HeapReport& report_;
  const TextStyle& style_;
  const bool all_;
  const Totals totals_;
  std::string text_;
};

}  // namespace

std::string heap_summary_text(const HeapReport& report, const HeapTextOptions& options) {
  return SummaryText(report, options).print();
}

}  // namespace culprit
