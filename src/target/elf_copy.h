// A private copy of the parts of an ELF file that capture looks at. Not a file mapping: the victim may truncate the
// file while we read, and that must not be a SIGBUS in the collector.
#pragma once

#include <string>

#include "base/mapping.h"
#include "base/result.h"

namespace culprit {

enum class ElfParts : uint8_t {
  headers,   // of file, segments and sections; notes, interpreter, dynamic section
  unwind,    // and .eh_frame (where no section headers tell its place: every loaded segment without code)
  exports,   // headers, and .dynsym with its names
  all_load,  // and all that is loaded, code as well
};

// Memory of the file's size in which the rest reads as zeros. "[vdso]" is the one this process has: all processes of a
// machine share it.
Result<Mapping> copy_elf(const std::string& path, ElfParts parts);

}  // namespace culprit
