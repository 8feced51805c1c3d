// Puts the agent into a process that is running already, without its help: one thread is borrowed to load the library,
// then all threads stand still for the moment in which libc's system calls become jumps.
#pragma once

#include "capture/agent_file.h"
#include "capture/stub_moves.h"
#include "capture/thread_choice.h"
#include "wire/agent_attach.h"

namespace culprit {

// `argument`: session, record and fanotify are filled in; the agent's answer comes back in it. To be called from a
// thread of ours that does nothing else and ends soon (ptrace_threads.h). Whatever fails, and whenever we are killed,
// the process runs on; what may be left in it then is taken out by eject(). What it gives: numbers of system calls of
// libc that had to stay as they are, and make handles unseen. Without `handles` only what the agent itself needs to see
// is patched. Errors: sentences for the user.
Result<std::vector<uint16_t>> inject(TouchedProcess& victim, const AgentFile& agent, culprit_attach& argument,
                                     bool handles);

}  // namespace culprit
