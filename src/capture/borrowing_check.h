// Whether a stopped thread may be made to call dlopen: it must not hold a lock that the call needs, nor be in the
// middle of anything the call builds upon.
#pragma once

#include <string>

#include "capture/victim_code.h"

namespace culprit {

// Half a sentence: "it is inside the allocator"; empty: it may be borrowed. Looks at the whole stack.
std::string why_not_borrowable(const TracedThread& thread, VictimMemory& memory, const VictimCode& code);

// Whether the thread was stopped in a system call (rather than between two instructions of its program).
bool is_in_system_call(const user_regs_struct& registers);

}  // namespace culprit
