// What the user typed, opened as a target that questions are asked of.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "shell/command.h"
#include "target/target.h"

namespace culprit {

// A pid, the name of one running program, or a core file. The error is one sentence: what it is instead, or why it
// cannot be looked at. `executable`: where the program of a core is, if not where the core says; may be empty.
Result<std::unique_ptr<Target>> open_target(const std::string& argument, const std::string& executable = "");

// Tells in a line, beside the answer, that the file the user named is not the program of the core, and that its own was
// found and used. Where none was found, the answer's losses tell.
void tell_of_unused(Target& target, const std::string& executable, const Streams& streams);

}  // namespace culprit
