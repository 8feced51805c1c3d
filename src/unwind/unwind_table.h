// The compact unwind table of a module (wire/unwind_rows.h), built from its .eh_frame once.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "format/elf.h"
#include "wire/unwind_rows.h"

namespace culprit {

struct UnwindTable {
  std::vector<culprit_unwind_row> rows;  // empty: the module has no unwind information
  std::vector<uint32_t> far;             // CFA offsets in slots of the FAR rows, by index

  // What was seen on the way; sizes in bytes of code.
  uint64_t functions = 0;
  uint64_t covered_bytes = 0;        // by FDEs
  uint64_t inexpressible_bytes = 0;  // of those: rules that need another register or an unknown expression (kind NONE)
  uint64_t skipped_functions = 0;    // above 4 GiB, empty, overlapping another, or with instructions that make no sense
  uint64_t bad_entries = 0;          // of .eh_frame that could not be read at all
};

// Fails only if the module is not an x86-64 ELF file; one without .eh_frame gives an empty table.
// Thread-safe: works on its arguments only.
Result<UnwindTable> build_unwind_table(Bytes elf_image);
UnwindTable build_unwind_table(const ElfFile& elf);

// The row that holds at a link-time pc (for a return address: the address minus one); null: the table does not reach
// there. A row of kind NONE is an answer, too.
const culprit_unwind_row* find_row(std::span<const culprit_unwind_row> rows, uint64_t pc);

}  // namespace culprit
