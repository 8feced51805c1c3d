// Where the library lies that goes into the watched program.
#pragma once

#include <string>

#include "base/result.h"

namespace culprit {

enum class AgentKind : uint8_t { patching, wrapping, heap };

// Absolute path of libculprit_agent.so, libculprit_agent_wrappers.so or libculprit_agent_heap.so: beside this executable
// (a build directory), or in ../lib/culprit (installed).
Result<std::string> find_agent_library(AgentKind kind = AgentKind::patching);

}  // namespace culprit
