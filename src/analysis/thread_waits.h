// What a thread waits for, in words.
#pragma once

#include <functional>
#include <string>

#include "analysis/report_stack.h"
#include "target/target.h"

namespace culprit {

// What a handle of the process is open on: "pipe", "/var/log/x"; empty: unknown.
using HandleNames = std::function<std::string(uint64_t value)>;
// Of a live process, as /proc tells when it is asked; of a core, which has no names, empty. `target` may go before it.
HandleNames names_of_handles(const Target& target);

// "reads from fd 5 (pipe)", "waits for a mutex", "runs": from the system call and its arguments, and from the library
// functions that lead to it. A phrase; foreign names in it are raw.
std::string wait_in_words(const TargetThread& thread, const ReportStack& stack, const HandleNames& names);

}  // namespace culprit
