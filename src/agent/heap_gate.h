// The allocator of a process that runs already: jumps at the beginnings of its functions lead to doors here (struct
// culprit_heap_gate). A door lets pass by what is not to be recorded, and else leads to the functions of
// allocation_functions.cc, whose real allocator is then what lies beyond the jumps.
#pragma once

#include "wire/agent_attach.h"

namespace culprit::agent {

// The functions that the program's calls come to, as its loader finds them.
void find_allocator_of_program(uint64_t (&functions)[CULPRIT_ALLOCATOR_FUNCTIONS]);

// Says where the doors are. Nothing comes to them before the collector has written jumps.
void open_gate(culprit_attach& attach);
// As in a library that was just loaded.
void forget_gate();

// Is memory that the program maps itself recorded? Where only some blocks are, what the allocator maps for the others
// could not be told from it.
bool records_mappings();

}  // namespace culprit::agent
