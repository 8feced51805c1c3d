#include <fmt/format.h>

#include "base/text.h"
#include "view/answer_text.h"
#include "view/crash_views.h"
#include "view/report_json.h"

namespace culprit {
namespace {

constexpr size_t targets_named = 4, unread_named = 8;

std::string targets_words(const CrashGroup& group, bool all) {
  std::string words;
  size_t named = all ? group.targets.size() : std::min(group.targets.size(), targets_named);
  for (size_t i = 0; i < named; ++i) words += (i == 0 ? "" : ", ") + printable(group.targets[i]);
  return named < group.targets.size() ? words + fmt::format(" and {} more", group.targets.size() - named) : words;
}

}  // namespace

std::string crash_groups_as_text(const CrashGroups& groups, const CrashTextOptions& options) {
  const TextStyle& style = options.style;
  std::string text = line_text(
      style,
      fmt::format("{} in {}", counted(groups.crashes(), "crash", "crashes"), counted(groups.groups.size(), "bucket")),
      0);
  for (const CrashGroup& group : groups.groups) {
    // Never broken into lines: it is what one searches for.
    text += fmt::format("\n{} × {}\n", group.targets.size(), inked(style, Ink::strong, group.first.bucket));
    text += line_text(style, crash_sentence(group.first));
    text += line_text(style, targets_words(group, options.details));
    if (!group.first.exact) text += line_text(style, "partial: culprit crash of one of them says why");
  }
  if (!groups.unread.empty())
    text += "\n" +
            line_text(style, inked(style, Ink::warning, counted(groups.unread.size(), "target") + " not looked at"), 0);
  const size_t named = options.details ? groups.unread.size() : std::min(groups.unread.size(), unread_named);
  for (size_t i = 0; i < named; ++i) text += line_text(style, printable(groups.unread[i].why));
  if (named < groups.unread.size())
    text += line_text(style, fmt::format("and {} more: --all names them", groups.unread.size() - named));
  return text;
}

std::string crash_groups_as_json(const CrashGroups& groups) {
  Json buckets = list_json(groups.groups, [](const CrashGroup& group) {
    return Json{{"bucket", group.first.bucket},
                {"hash", group.first.hash},
                {"count", group.targets.size()},
                {"cause", word(info_of(group.first.verdict.cause).name)},
                {"sentence", utf8(crash_sentence(group.first))},
                {"exact", group.first.exact},
                {"targets", list_json(group.targets, utf8)}};
  });
  return json_text({{"schema", json_schema},
                    {"crashes", groups.crashes()},
                    {"buckets", std::move(buckets)},
                    {"unread", list_json(groups.unread, [](const UnreadCrash& each) {
                       return Json{{"target", utf8(each.target)}, {"why", utf8(each.why)}};
                     })}});
}

}  // namespace culprit
