// Takes the agent out of a process that runs on: libc's code as it was, no thread in the agent, the library unloaded,
// the session's memory unmapped. Also where it was left by a culprit that died, and in processes forked since.
#pragma once

#include "capture/agent_file.h"
#include "capture/stub_moves.h"
#include "capture/thread_choice.h"

namespace culprit {

struct Ejection {
  bool is_unpatched = false;  // nothing of it runs any more
  std::string left_behind;    // half a sentence: what is still mapped there, unused, and why; empty: nothing
};

// To be called from a thread of ours that does nothing else and ends soon (ptrace_threads.h), while the session (if its
// collector is we) is being served: threads inside the agent have to come out of it. Errors: the process is gone, or
// may not be touched.
Result<Ejection> eject(TouchedProcess& victim, const AgentFile& agent);

}  // namespace culprit
