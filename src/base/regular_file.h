// Opening a file whose name came from a recording, a core or from debug info.
#pragma once

#include <cstdint>
#include <string>

#include "base/mapping.h"

namespace culprit {

// Maps a regular file. Anything else (FIFO, device, directory) is refused without waiting for it:
// ErrorKind::unsupported. ErrorKind::not_found: no such file; limit: larger than `largest`.
inline constexpr uint64_t largest_symbol_file = uint64_t{64} << 30;
Result<Mapping> map_regular_file(const std::string& path, uint64_t largest = largest_symbol_file);

}  // namespace culprit
