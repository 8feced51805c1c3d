// What a traced thread is about to execute.
#pragma once

#include <string>

#include "capture/traced_process.h"

namespace culprit {

// The file that execve or execveat names, as we reach it; empty: it cannot be told.
std::string program_to_execute(uint32_t tid, const CallInProgress& call);

// Programs with rights of their own (set-uid …) do not get them while somebody without them looks on.
bool would_lose_rights(uint32_t tid, const CallInProgress& call);

}  // namespace culprit
