// What ended the process of a core, in a clause.
#pragma once

#include <string>

#include "target/target.h"

namespace culprit {

// The processor told an address, which may well be 0.
bool has_fault_address(const TargetInfo& info);

// "ended by SIGSEGV at address 0x10 in thread 17", "ended by SIGABRT from process 5 (user 0) in thread 17"; empty: it
// was alive.
std::string death_words(const TargetInfo& info);

}  // namespace culprit
