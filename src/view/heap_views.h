// The answers of `culprit heap`.
#pragma once

#include <string>

#include "analysis/heap_report.h"
#include "view/text_style.h"

namespace culprit {

struct HeapTextOptions {
  TextStyle style;
  bool all = false;  // every row, and whole names
};

std::string heap_as_text(const HeapReport& report, const HeapTextOptions& options);
std::string heap_as_json(const HeapReport& report);

}  // namespace culprit
