// Answers about targets as parts of larger ones. For view/*.cc only, as view/json.h.
#pragma once

#include "analysis/lock_report.h"
#include "analysis/thread_report.h"
#include "view/json.h"

namespace culprit {

Json threads_json(const ThreadReport& report);
Json locks_json(const LockReport& report);

}  // namespace culprit
