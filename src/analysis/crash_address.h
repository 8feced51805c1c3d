// What an address is, in words.
#pragma once

#include <cstdint>
#include <string>

#include "analysis/target_names.h"
#include "target/target.h"

namespace culprit {

// "in the program's code: victim!main+0x12 (readable, executable)", "nothing is mapped there; 24 bytes below [stack]",
// "no address that x86-64 has; its bytes are the text \"AAAAAAAA\"". A clause without a subject; foreign text is raw.
std::string describe_address(Target& target, TargetNames& names, uint64_t address);

// "readable", "readable and writable", "not accessible"
std::string rights_words(const TargetMapping& mapping);
// Of a mapping: its file, "[stack]", or "anonymous memory".
std::string mapping_words(const TargetMapping& mapping);

}  // namespace culprit
