// Hooks of the calls that end handles, copy or replace the handle table, or change what the agent may do.
#pragma once

#include "agent/hooks.h"

namespace culprit::agent {

void before_close(Registers& registers, uint32_t call);
void before_close_range(Registers& registers, uint32_t call);
void before_unshare(Registers& registers, uint32_t call);

void before_fork(Registers& registers, uint32_t call);  // fork, vfork, clone, clone3
void after_fork(const Registers& registers, uint32_t call);
void before_exec(Registers& registers, uint32_t call);  // execve, execveat
void before_thread_exit(Registers& registers, uint32_t call);
void before_process_exit(Registers& registers, uint32_t call);

void before_setrlimit(Registers& registers, uint32_t call);  // setrlimit, prlimit64
void before_prctl(Registers& registers, uint32_t call);
void before_seccomp(Registers& registers, uint32_t call);
void after_prctl(const Registers& registers, uint32_t call);
void after_seccomp(const Registers& registers, uint32_t call);

}  // namespace culprit::agent
