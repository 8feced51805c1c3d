// ELF notes: PT_NOTE segments and SHT_NOTE sections (gABI "Note Section").
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/bytes.h"

namespace culprit {

struct ElfNote {
  std::string_view name;  // without its NUL: "GNU", "Go", "CORE"
  uint32_t type = 0;
  Bytes description;
};

inline constexpr uint32_t note_gnu_build_id = 3, note_go_build_id = 4;

// All notes up to the first that does not fit. `alignment`: p_align or sh_addralign; only 8 differs from the
// customary 4.
std::vector<ElfNote> parse_notes(Bytes notes, uint64_t alignment);

}  // namespace culprit
