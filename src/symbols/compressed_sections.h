// A guard before LLVM inflates debug sections (it allocates what their headers claim, and aborts when it cannot).
#pragma once

#include "format/elf.h"

namespace culprit {

// False when a compressed section claims to hold more than such bytes can, or all together more than a process can
// bear.
bool compressed_sections_are_sane(const ElfFile& file);

}  // namespace culprit
