// Opening a file whose name came from a recording or from debug info.
#pragma once

#include <string>

#include "base/mapping.h"

namespace culprit {

// Maps a regular file. Anything else (FIFO, device, directory) is refused without waiting for it:
// ErrorKind::unsupported. ErrorKind::not_found: no such file; limit: larger than anything that has symbols.
Result<Mapping> map_regular_file(const std::string& path);

}  // namespace culprit
