// What handles can be grouped by: `culprit handles X --by closing,owning,type,creating,stack`.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace culprit {

enum class HandleColumn : uint8_t {
  closing,        // who closed it; or that it is still open, or was closed only by the end of its process
  owning,         // the process in whose table it is
  program,        // that process by name only: all its lives
  type,           // best known
  creating,       // who made it
  stack,          // where it was made
  how,            // how it was made and how closed
  object,         // what it is a handle of: duplicates and inherited ones share it
  name,           // path, address …
  thread,         // that made it
  module,         // of the blamed frame
  function,       // the blamed one
  closing_stack,  // where it was closed
};
inline constexpr size_t handle_column_count = 13;

std::string_view name_of(HandleColumn column);

// Whether its values are words that several stacks or processes can share.
bool is_word(HandleColumn column);
// Whether it takes symbols to tell its values apart.
bool needs_symbols(HandleColumn column);

// "closing,owning": any order, none twice. "default" is the order in which WPA's Handles graph is read:
// closing,owning,type,creating,stack; "process" is another word for owning.
Result<std::vector<HandleColumn>> parse_columns(std::string_view list);
std::vector<HandleColumn> default_columns();

}  // namespace culprit
