#include "view/heap_text.h"

#include <fmt/format.h>

#include "base/text.h"
#include "view/answer_text.h"
#include "view/totals_text.h"

namespace culprit {

namespace {

constexpr size_t most_breaks = 10;

std::string answer_text(const HeapReport& report, const HeapTextOptions& options) {
  switch (report.question.ask) {
    case HeapAsk::summary:
      return heap_summary_text(report, options);
    case HeapAsk::by_size:
    case HeapAsk::by_type:
      return heap_groups_text(report, options);
    case HeapAsk::list:
      return heap_list_text(report, options);
    case HeapAsk::block:
      return heap_block_text(report, options);
    case HeapAsk::unreachable:
      return heap_leaks_text(report, options);
  }
  return {};
}

}  // namespace

std::string heap_as_text(const HeapReport& report, const HeapTextOptions& options) {
  std::string allocator;
  if (!report.allocator_note.empty())
    allocator = line_text(options.style, inked(options.style, Ink::warning, printable(report.allocator_note)), 0);
  return allocator + answer_text(report, options) + heap_breaks_text(report, options) +
         heap_basis_text(report, options.style);
}

std::string_view name_of(HeapBlockState state) {
  constexpr std::string_view names[] = {"in use", "free, kept by a thread", "free, in a fast bin", "free",
                                        "the rest of the arena's memory"};
  static_assert(std::size(names) == heap_block_state_count);
  return names[static_cast<size_t>(state)];
}

std::string_view name_of(MemoryKind kind) {
  constexpr std::string_view names[] = {"malloc's arenas", "blocks with own mappings", "anonymous",
                                        "stacks",          "programs and libraries",   "mapped files",
                                        "shared memory",   "the kernel's own"};
  static_assert(std::size(names) == memory_kind_count);
  return names[static_cast<size_t>(kind)];
}

std::string block_words(const HeapBlock& block) {
  return fmt::format("{:#x}: {} bytes, {}{}", block.address, with_thousands(block.size), name_of(block.state),
                     block.is_mmapped ? ", with a mapping of its own" : "");
}

std::string heap_target_words(const HeapReport& report) {
  return report.is_live ? fmt::format("pid {}", report.pid) : shown(report.target, 48);
}

std::string arena_words(const HeapReport& report, uint32_t arena) {
  return arena == 0 || arena >= report.arenas.size() ? "main" : fmt::format("{:#x}", report.arenas[arena].address);
}

std::string percent_words(uint64_t part, uint64_t whole) {
  if (whole == 0) return "";
  const double percent = 100.0 * static_cast<double>(part) / static_cast<double>(whole);
  return percent >= 99.95 && part != whole ? "99.9" : fmt::format("{:.1f}", percent);
}

std::string heap_breaks_text(const HeapReport& report, const HeapTextOptions& options) {
  std::string text;
  size_t shown_breaks = 0;
  for (const HeapBreak& each : report.breaks) {
    if (!options.all && ++shown_breaks > most_breaks) break;
    const std::string head = each.is_under_change ? inked(options.style, Ink::warning, "under change:")
                                                  : inked(options.style, Ink::bad, "damaged:");
    text += line_text(options.style, fmt::format("{} {}", head, each.what), 0);
    if (each.before) text += line_text(options.style, "the block before it: " + block_words(*each.before), 4);
    if (each.skipped != 0)
      text +=
          line_text(options.style,
                    fmt::format("{} bytes from {:#x} on are not known", with_thousands(each.skipped), each.chunk), 4);
    if (each.after) text += line_text(options.style, "the block behind it: " + block_words(*each.after), 4);
  }
  const uint64_t left_out = report.breaks.size() -
                            std::min(report.breaks.size(), options.all ? SIZE_MAX : most_breaks) +
                            report.breaks_left_out;
  if (left_out != 0)
    text += line_text(options.style, fmt::format("and {} more such places", with_thousands(left_out)), 0);
  return text.empty() ? text : text + "\n";
}

std::string heap_basis_text(const HeapReport& report, const TextStyle& style) {
  std::string words = heap_target_words(report) + ": ";
  if (report.walked_bytes != 0) words += fmt::format("{} of heap read", bytes_in_words(report.walked_bytes));
  if (report.is_live) {
    words += report.walked_bytes != 0 ? "; " : "";
    words += report.stopped_for == 0
                 ? "it was not stopped"
                 : fmt::format("it stood still for {:.1f} ms", static_cast<double>(report.stopped_for) / 1e6);
  }
  std::string text = line_text(style, inked(style, Ink::faint, words), 0);
  for (const std::string& note : report.notes) text += line_text(style, printable(note), 0);
  return text + losses_text(report.losses, style);
}

}  // namespace culprit
