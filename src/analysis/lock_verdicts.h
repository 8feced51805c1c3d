// From what waits to what is wrong: cycles, owners that are gone, chains.
#pragma once

#include <functional>
#include <vector>

#include "analysis/lock_scene.h"

namespace culprit {

// A scene with what has been found out about its waits beside it.
struct JudgedScene {
  const LockScene& scene;
  std::vector<bool> is_still;  // by wait: it can be relied on
};

// A thread of a verdict, by index into LockScene::threads, and the wait (index) whose lock it holds.
struct VerdictStep {
  size_t thread = 0;
  std::optional<size_t> holds_lock_of;
};
struct SceneVerdict {
  LockVerdictKind kind = LockVerdictKind::waiting_for_one;
  std::vector<VerdictStep> steps;  // as LockVerdict::steps
  std::vector<size_t> behind;      // threads
  std::optional<double> seconds_left;
  std::string why_possible;
};

// Worst first; within a kind those with most threads behind them first.
std::vector<SceneVerdict> judge(const JudgedScene& judged);

// The threads on whose standing still the worst verdicts rest: those in cycles, and those whose owner is gone.
std::vector<size_t> threads_to_verify(const JudgedScene& judged);

}  // namespace culprit
