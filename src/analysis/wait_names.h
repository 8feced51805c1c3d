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

// Whether, beyond so many inner frames, a function stands on the stack that takes this lock of libc's own.
bool may_hold_internal(const ReportStack& stack, std::string_view what, size_t from);
// The first frame beyond a wait for it that is no more a part of the call that waits.
size_t caller_of_internal(const ReportStack& stack, const NamedWait& wait);

}  // namespace culprit
