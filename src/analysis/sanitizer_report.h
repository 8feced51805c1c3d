// What AddressSanitizer said before it ended the program. It keeps its report in memory of its own, from the beginning
// of a page on (compiler-rt, asan_report.cpp, error_message_buffer), which symbols tell only where it is not stripped.
#pragma once

#include <string>

#include "target/target.h"

namespace culprit {

// "heap-use-after-free on address 0x602000000010": the first line, without registers. Foreign text. Empty: none is
// there.
std::string read_sanitizer_report(Target& target);

}  // namespace culprit
