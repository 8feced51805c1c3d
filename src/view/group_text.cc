#include "view/group_text.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "view/stack_text.h"

namespace culprit {

namespace {

constexpr size_t indent = 4;

// "    words, wrapped and kept in its column\n"
std::string paragraph(const TextStyle& style, std::string_view words) {
  return std::string(indent, ' ') + wrapped(words, style.columns, indent, indent + 2) + "\n";
}

std::string process_list(const std::vector<ProcessCount>& processes, uint64_t all) {
  std::string words;
  for (const ProcessCount& process : processes)
    words += fmt::format("{}{} (pid {}) {}", words.empty() ? "" : ", ", shown(process.name, 24), process.pid,
                         with_thousands(process.count));
  if (all > processes.size()) words += fmt::format(" and {} more", with_thousands(all - processes.size()));
  return words;
}

bool same_processes(const std::vector<ProcessCount>& one, const std::vector<ProcessCount>& other) {
  return std::ranges::equal(one, other, {}, &ProcessCount::pid, &ProcessCount::pid);
}

std::string examples_text(const HandleGroup& group) {
  std::string words;
  for (const HandleExample& example : group.examples) {
    words += words.empty() ? "for example " : ", ";
    words += fmt::format("{}", example.value);
    // "eventfd" for an eventfd says nothing new.
    if (!example.name.empty() && example.name != group.type) words += fmt::format(" {}", shown(example.name, 48));
    words +=
        fmt::format(" (made at {}, open for {})", duration_in_words(example.created), duration_in_words(example.age));
  }
  return words;
}

std::string lifetimes_text(const LifetimeSummary& lifetimes) {
  return fmt::format("the closed ones lived {} (median), 9 of 10 at most {}, the longest {}",
                     duration_in_words(lifetimes.median), duration_in_words(lifetimes.p90),
                     duration_in_words(lifetimes.longest));
}

}  // namespace

std::string leak_text(const HandleGroup& group, const HandleTextOptions& options) {
  const TextStyle& style = options.style;
  std::string count =
      inked(style, Ink::bad, fmt::format("{} × {}", with_thousands(group.count), shown(group.type, 24)));
  std::string verdict = inked(style, Ink::warning, name_of(group.verdict));
  std::string head = fmt::format("{}   {}: {}", count, verdict, printable(group.evidence));
  std::string text = "  " + wrapped(head, style.columns, 2, indent) + "\n";
  text += stack_text(group.stack, {style, indent, options.details, options.source});
  if (group.lifetimes.count != 0 && group.verdict == Verdict::sometimes_forgotten)
    text += paragraph(style, lifetimes_text(group.lifetimes));
  for (const ClosingPlace& place : group.closing_stacks)
    text += paragraph(style, fmt::format("{} closed in {}", with_thousands(place.count),
                                         blamed_phrase(place.stack, style.columns - indent - 20)));
  if (!group.examples.empty()) {
    HandleGroup few = group;
    if (!options.details && few.examples.size() > 2) few.examples.resize(2);
    text += paragraph(style, examples_text(few));
  }
  if (group.processes > 1 || options.details)
    text += paragraph(style, "in " + process_list(group.owning, group.processes));
  if (!group.creating.empty() && !same_processes(group.creating, group.owning))
    text += paragraph(style, "made by " + process_list(group.creating, group.creating.size()));
  if (options.details && !group.closing.empty())
    text += paragraph(style, "closed by " + process_list(group.closing, group.closing.size()));
  return text;
}

std::string group_line(const HandleGroup& group, const TextStyle& style) {
  uint64_t count = group.count != 0 ? group.count : group.created;
  std::string left = fmt::format("  {:>9} × {} {} ", with_thousands(count), padded(shown(group.type, 12), 12),
                                 padded(group.verdict == Verdict::none ? "" : name_of(group.verdict), 8));
  size_t used = display_width(left) + 1;
  return left + " " + blamed_phrase(group.stack, style.columns > used + 24 ? style.columns - used : 24) + "\n";
}

}  // namespace culprit
