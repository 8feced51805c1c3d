#include <fmt/format.h>

#include "base/text.h"
#include "view/answer_text.h"
#include "view/heap_text.h"

namespace culprit {

namespace {

// "Order ×5,000, 4.1 MB", "48 bytes ×12, 576 B"
std::string group_words(const HeapGroup& group, const HeapTextOptions& options) {
  const std::string what = group.size ? fmt::format("{} bytes", with_thousands(*group.size))
                                      : shown(group.type, options.all ? SIZE_MAX / 2 : 2 * options.style.columns);
  return fmt::format("{} {}{}, {}", inked(options.style, Ink::name, what), options.style.unicode ? "×" : "x",
                     with_thousands(group.count.blocks), bytes_in_words(group.count.bytes));
}

std::string stale_words(const StalePointer& stale) {
  if (stale.freed == 0 && stale.tid == 0)
    return fmt::format("{:#x}, on the stack of a thread that has ended", stale.at);
  if (stale.freed == 0)
    return fmt::format("{:#x}, in the part of thread {}'s stack that is not in use any more", stale.at, stale.tid);
  return fmt::format("{:#x}, in a block of {} bytes at {:#x} that has been freed", stale.at,
                     with_thousands(stale.freed_size), stale.freed);
}

std::string leak_text(const LeakGroup& leak, const HeapTextOptions& options) {
  std::string words = group_words(leak.group, options);
  if (leak.behind.blocks != 0)
    words += fmt::format(", and behind {} {} in {}", leak.group.count.blocks == 1 ? "it" : "them",
                         bytes_in_words(leak.behind.bytes), counted(leak.behind.blocks, "more block"));
  std::string text = line_text(options.style, words, 2);
  text += line_text(options.style, fmt::format("for example {:#x}", leak.group.example), 6);
  if (leak.stale) text += line_text(options.style, "a pointer to it is still at " + stale_words(*leak.stale), 6);
  return text;
}

}  // namespace

std::string heap_leaks_text(const HeapReport& report, const HeapTextOptions& options) {
  const UnreachableReport& found = *report.unreachable;
  const TextStyle& style = options.style;
  HeapCount all = found.direct;
  all.add(found.indirect);
  std::string text;
  if (all.blocks == 0) {
    const std::string calm = fmt::format("{}: something points to each of the {} in use", heap_target_words(report),
                                         counted(found.reachable.blocks, "block"));
    text += line_text(style, inked(style, Ink::good, calm), 0);
  } else {
    const std::string leaked =
        fmt::format("{} {} in {}", bytes_in_words(all.bytes), found.is_of_one_moment ? "leaked" : "perhaps leaked",
                    counted(all.blocks, "block"));
    std::string words =
        fmt::format("{}: {}, to which nothing {}", heap_target_words(report), inked(style, Ink::bad, leaked),
                    found.is_of_one_moment ? "points" : "was seen to point while the process ran");
    if (found.indirect.blocks != 0)
      words += fmt::format(" but (to {} of them) other leaked ones", with_thousands(found.indirect.blocks));
    text += line_text(style, words, 0);
  }
  text += "\n";
  bool was_direct = true;
  for (const LeakGroup& leak : found.groups) {
    if (was_direct && !leak.is_direct) text += line_text(style, "only to be reached through those:", 0);
    was_direct = leak.is_direct;
    text += leak_text(leak, options);
  }
  if (found.groups_left_out != 0)
    text += line_text(style, fmt::format("and {} more, with --all", counted(found.groups_left_out, "group")), 2);
  if (!found.groups.empty()) text += "\n";
  return text;
}

}  // namespace culprit
