// From a judged scene to the report: only what concerns the target, each lock once, by indexes.
#pragma once

#include "analysis/lock_analysis.h"
#include "analysis/lock_verdicts.h"

namespace culprit {

// `nameless`: of locks without a variable, by futex address: "malloc's arena".
using LockWords = std::unordered_map<uint64_t, std::string>;

// Verdicts, locks and waits; nothing of the target as a whole. No stacks yet.
LockReport build_lock_report(const JudgedScene& judged, const LockHelpers& helpers, const LockWords& nameless);

}  // namespace culprit
