// `culprit handles PID|CORE`: what is open now, without recording anything (≙ !handle).
#pragma once

#include "shell/command.h"

namespace culprit {

// Options of `handles` that need a recording are refused, with how to make one.
Ending run_handle_inventory(uint32_t pid, const Arguments& arguments, const Streams& streams);
Ending run_core_inventory(const std::string& path, const Arguments& arguments, const Streams& streams);

// Whether a file begins as an ELF file does, or as one that is compressed.
bool may_be_core(const std::string& path);

}  // namespace culprit
