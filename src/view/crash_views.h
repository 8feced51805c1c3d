// The page about a crash, as text and as JSON (docs/json.md).
#pragma once

#include <string>
#include <vector>

#include "analysis/crash_groups.h"
#include "view/source_excerpt.h"
#include "view/text_style.h"

namespace culprit {

struct CrashTextOptions {
  TextStyle style;
  bool brief = false;    // the sentence and ten frames
  bool details = false;  // every frame, every thread
};

std::string crash_as_text(const CrashReport& report, const CrashTextOptions& options);
std::string crash_as_json(const CrashReport& report);

// Of many: buckets with their counts.
std::string crash_groups_as_text(const CrashGroups& groups, const CrashTextOptions& options);
std::string crash_groups_as_json(const CrashGroups& groups);

// The source that is shown was changed after the program was built: it may not be what was built.
bool is_source_newer(const CrashReport& report, const SourceExcerpt& excerpt);

// The processes of a tree that died of a signal while it was recorded.
struct Crashes {
  struct NoPage {
    uint32_t pid = 0;
    std::string why;  // a clause
  };
  std::vector<CrashReport> pages;  // in the order of their deaths
  std::vector<NoPage> without_page;

  bool empty() const { return pages.empty() && without_page.empty(); }
};
// Pages, each with a line that tells whose it is where there are several; what died like one before is only counted.
std::string crashes_as_text(const Crashes& crashes, const CrashTextOptions& options);

// What happened, where and called from whom, in one sentence. Printable.
std::string crash_sentence(const CrashReport& report);

}  // namespace culprit
