#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "view/answer_text.h"
#include "view/heap_text.h"

namespace culprit {

namespace {

std::string heading(const HeapReport& report, std::string_view of) {
  std::string words = fmt::format("{}: {} in {}{}", heap_target_words(report), bytes_in_words(report.matched.bytes),
                                  counted(report.matched.blocks, "block"), of);
  if (report.matched != report.in_use)
    words += fmt::format(", {} % of the {} in use", percent_words(report.matched.bytes, report.in_use.bytes),
                         bytes_in_words(report.in_use.bytes));
  return words;
}

// "42,088 (0xa468)": users of debuggers read the second.
std::string size_words(uint64_t size) { return fmt::format("{} ({:#x})", with_thousands(size), size); }

std::string size_table(const HeapReport& report) {
  std::string text = fmt::format("  {:>22}{:>12}{:>12}{:>8}  {}\n", "size", "blocks", "bytes", "%", "for example");
  for (const HeapGroup& group : report.groups)
    text += fmt::format("  {:>22}{:>12}{:>12}{:>8}  {:#x}\n", size_words(group.size.value_or(0)),
                        with_thousands(group.count.blocks), bytes_in_words(group.count.bytes),
                        percent_words(group.count.bytes, report.matched.bytes), group.example);
  return text;
}

std::string type_table(const HeapReport& report, const HeapTextOptions& options) {
  constexpr size_t before_name = 2 + 11 + 11 + 7 + 2;
  const size_t width =
      options.all ? SIZE_MAX / 2 : std::max<size_t>(options.style.columns, before_name + 20) - before_name;
  std::string text = fmt::format("  {:>11}{:>11}{:>7}  {}\n", "objects", "bytes", "%", "type");
  for (const HeapGroup& group : report.groups)
    text += fmt::format("  {:>11}{:>11}{:>7}  {}\n", with_thousands(group.count.blocks),
                        bytes_in_words(group.count.bytes), percent_words(group.count.bytes, report.matched.bytes),
                        inked(options.style, Ink::name, shown(group.type, width)));
  return text;
}

}  // namespace

std::string heap_groups_text(const HeapReport& report, const HeapTextOptions& options) {
  const TextStyle& style = options.style;
  const bool by_type = report.question.ask == HeapAsk::by_type;
  std::string text = line_text(style, heading(report, ""), 0) + "\n";
  if (!report.groups.empty()) text += by_type ? type_table(report, options) : size_table(report);
  if (report.groups_left_out != 0)
    text += line_text(
        style, fmt::format("and {} more, with --all", counted(report.groups_left_out, by_type ? "type" : "size")), 2);
  if (by_type)
    text += line_text(style,
                      fmt::format("{}: {} that are no C++ object with virtual functions",
                                  bytes_in_words(report.untyped.bytes), counted(report.untyped.blocks, "block")),
                      2);
  return text + "\n";
}

std::string heap_list_text(const HeapReport& report, const HeapTextOptions& options) {
  std::string text = line_text(options.style, heading(report, ""), 0) + "\n";
  for (const HeapBlock& block : report.blocks)
    text += fmt::format("  {:#x}  {:>22}  {}\n", block.address, size_words(block.size),
                        block.is_mmapped ? "own mapping" : arena_words(report, block.arena));
  if (report.blocks.size() < report.matched.blocks)
    text += line_text(
        options.style,
        fmt::format("and {} more, with --all", counted(report.matched.blocks - report.blocks.size(), "block")), 2);
  return text + "\n";
}

}  // namespace culprit
