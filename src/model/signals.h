// Signals and system calls in words.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace culprit {

std::string signal_name(int32_t signal);  // "SIGSEGV", "signal 64"

// Its default action ends the process and makes a core: what people call a crash.
bool makes_core(int32_t signal);

// What si_code says, as sigaction(2) has it: {"SEGV_MAPERR", "nothing is mapped at the address"}; both may be empty.
struct SignalCode {
  std::string_view name, meaning;
};
SignalCode signal_code(int32_t signal, int32_t code);

std::string system_call_name(uint64_t number);  // of x86-64: "getppid"; "system call 999"

}  // namespace culprit
