// The machine code around a fault, and where the register came from that the fault is about.
#pragma once

#include <string>
#include <vector>

#include "analysis/crash_scene.h"

namespace culprit {

struct CrashCode {
  std::vector<InstructionText> instructions;  // some before the one that failed, it, and some behind
  std::vector<std::string> targets;  // where each jumps to or calls: "victim!go_on"; empty: nowhere, or no name
  std::vector<std::byte> bytes;      // from the first instruction's address on
  size_t failed = 0;                 // index into instructions
  std::string origin;                // "rdi is what the caller passed as argument 1"; empty: not known. Foreign.
};

// Empty where there is no code at rip, or it cannot be read.
CrashCode read_crash_code(CrashScene& scene);

}  // namespace culprit
