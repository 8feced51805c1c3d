// What a thread waits for, told by the functions at the top of its stack.
#pragma once

#include <optional>
#include <string_view>

#include "analysis/lock_report.h"

namespace culprit {

struct NamedWait {
  LockKind kind = LockKind::futex;
  std::string_view what;  // of a lock without a name of its own: "malloc's arena"; empty: nothing to say
  size_t frame = 0;       // of the function that told it
};
std::optional<NamedWait> wait_named_by(const ReportStack& stack);

}  // namespace culprit
