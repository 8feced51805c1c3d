// Which files were mapped where in the process of a core.
#pragma once

#include <string>
#include <vector>

#include "format/core_notes.h"
#include "target/core_memory.h"
#include "target/core_segments.h"

namespace culprit {

struct MappedRange {
  uint64_t start = 0, end = 0;
  uint64_t offset = 0;  // in the file
};

struct MappedFile {
  std::string path;  // "[vdso]"; empty: not known. Without the kernel's " (deleted)"
  bool is_deleted = false;
  bool is_program = false;
  std::vector<MappedRange> ranges;  // ascending, at least one

  uint64_t start() const { return ranges.front().start; }
};

// The headers of the file that was mapped there, if the first page of it was: enough to parse, and no more.
Bytes headers_at(const CoreMemory& memory, uint64_t address);

// By NT_FILE, where the core has it; else by the ELF headers in memory, with the names that the loader's list has for
// them. Ascending. A file that is mapped at two places is there twice.
std::vector<MappedFile> find_mapped_files(const CoreNotes& notes, const CoreSegments& segments, CoreMemory& memory);

}  // namespace culprit
