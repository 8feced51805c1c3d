// A report as text for a person in trouble: blame first, then the evidence, then the totals, then what is uncertain.
// At most `style.columns` wide, except where a word or path cannot be cut without losing its meaning.
#pragma once

#include <string>

#include "analysis/handle_report.h"
#include "view/text_style.h"

namespace culprit {

struct HandleTextOptions {
  TextStyle style;
  size_t top = 10;        // groups shown; 0: all there are
  bool details = false;   // --all: every frame, every process, every type
  bool source = true;     // lines of the blamed source file, where it is at hand
  std::string recording;  // kept or read; empty: there is none
};

std::string as_text(const HandleReport& report, const HandleTextOptions& options);

}  // namespace culprit
