// Hooks of the calls that end handles, copy or replace the handle table, or change what the agent may do.
#pragma once

#include "agent/hooks.h"

namespace culprit::agent {

void before_close(Registers& registers);
void before_close_range(Registers& registers);
void before_unshare(Registers& registers);

void before_fork(Registers& registers);  // fork, vfork, clone, clone3
void after_fork(const Registers& registers, uint32_t call);
void before_exec(Registers& registers);  // execve, execveat
void before_thread_exit(Registers& registers);
void before_process_exit(Registers& registers);

void before_munmap(Registers& registers);
void before_mmap(Registers& registers);
void before_mremap(Registers& registers);
void before_prctl(Registers& registers);
void before_seccomp(Registers& registers);

}  // namespace culprit::agent
