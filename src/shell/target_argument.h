// What the user typed, opened as a target that questions are asked of.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "target/target.h"

namespace culprit {

// A pid, the name of one running program, or a core file. The error is one sentence: what it is instead, or why it
// cannot be looked at. `executable`: where the program of a core is, if not where the core says; may be empty.
Result<std::unique_ptr<Target>> open_target(const std::string& argument, const std::string& executable = "");

}  // namespace culprit
