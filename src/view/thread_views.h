// What the threads of a target do, as text and as JSON (docs/json.md).
#pragma once

#include <string>

#include "analysis/thread_report.h"
#include "view/text_style.h"

namespace culprit {

struct ThreadTextOptions {
  TextStyle style;
  size_t top = 20;       // groups shown; 0: all
  bool details = false;  // every frame, every thread
  bool raw = false;      // addresses, and how each was found
};

std::string threads_as_text(const ThreadReport& report, const ThreadTextOptions& options);
std::string threads_as_json(const ThreadReport& report);

}  // namespace culprit
