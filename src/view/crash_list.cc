#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "view/answer_text.h"
#include "view/crash_json.h"
#include "view/crash_views.h"
#include "view/report_json.h"

namespace culprit {
namespace {

std::string name_of(const CrashReport& page) {
  return fmt::format("{} ({})", printable(page.executable.substr(page.executable.rfind('/') + 1)), page.pid);
}

}  // namespace

std::string crashes_as_text(const Crashes& crashes, const CrashTextOptions& options) {
  std::string text;
  std::vector<const CrashReport*> shown;
  for (const CrashReport& page : crashes.pages) {
    auto same = std::ranges::find(shown, page.bucket, &CrashReport::bucket);
    if (same != shown.end()) {
      text += line_text(options.style,
                        fmt::format("{} crashed as {} did: {}", name_of(page), name_of(**same), page.bucket), 0);
      continue;
    }
    shown.push_back(&page);
    if (crashes.pages.size() > 1)
      text += line_text(options.style, inked(options.style, Ink::strong, name_of(page) + " crashed:"), 0);
    text += crash_as_text(page, options) + "\n";
  }
  for (const Crashes::NoPage& each : crashes.without_page)
    text += line_text(options.style,
                      fmt::format("process {} crashed, and has no page: {}", each.pid, printable(each.why)), 0);
  return crashes.without_page.empty() ? text : text + "\n";
}

Json crashes_json(const Crashes& crashes) {
  return {{"pages", list_json(crashes.pages, crash_json)},
          {"without_page", list_json(crashes.without_page, [](const Crashes::NoPage& each) {
             return Json{{"pid", each.pid}, {"why", utf8(each.why)}};
           })}};
}

}  // namespace culprit
