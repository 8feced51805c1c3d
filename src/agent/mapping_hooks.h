// Hooks of the calls that map memory and take it away. Code and stacks that go away take along what is known of them;
// and where memory is recorded, what the program maps for itself is told: not what its allocator does.
#pragma once

#include "agent/hooks.h"

namespace culprit::agent {

void before_mmap(Registers& registers, uint32_t call);
void after_mmap(const Registers& registers, uint32_t call);
void before_munmap(Registers& registers, uint32_t call);
void after_munmap(const Registers& registers, uint32_t call);
void before_mremap(Registers& registers, uint32_t call);
void after_mremap(const Registers& registers, uint32_t call);
void before_brk(Registers& registers, uint32_t call);
void after_brk(const Registers& registers, uint32_t call);

}  // namespace culprit::agent
