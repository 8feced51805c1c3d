// The answer of `culprit locks`.
#pragma once

#include <string>

#include "analysis/lock_report.h"
#include "view/text_style.h"

namespace culprit {

struct LockTextOptions {
  TextStyle style;
  bool all = false;  // every lock and every wait, and whole stacks
};

std::string locks_as_text(const LockReport& report, const LockTextOptions& options);
std::string locks_as_json(const LockReport& report);

}  // namespace culprit
