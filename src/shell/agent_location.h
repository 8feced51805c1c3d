// Where the library lies that goes into the watched program.
#pragma once

#include <string>

#include "base/result.h"

namespace culprit {

// Absolute path of libculprit_agent.so: beside this executable (a build directory), or in ../lib/culprit (installed).
Result<std::string> find_agent_library();

}  // namespace culprit
