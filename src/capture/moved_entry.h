// The first instructions of a function, so that they can be executed elsewhere and a jump may take their place: how the
// agent gets in front of functions that are called directly, such as those of an allocator linked into the program.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "wire/agent_session.h"

namespace culprit {

// What of the code around a function is looked at for jumps into its beginning, bytes on either side.
inline constexpr uint64_t entry_surroundings = 4096;

struct MovedEntry {
  std::array<std::byte, CULPRIT_ENTRY_CODE> code{};  // what is executed at the new place; ends with a jump back
  size_t replaced = 0;                               // bytes of the function that it stands for: room for a jump
};

// `code` lies at `start` and has the function that begins at `entry`, as well as what is around it; `place` is where
// the moved code will lie. Nothing: an instruction among the first ones means something else elsewhere, `place` is out
// of reach, or a jump leads into what would be replaced.
std::optional<MovedEntry> move_entry(Bytes code, uint64_t start, uint64_t entry, uint64_t place);

}  // namespace culprit
