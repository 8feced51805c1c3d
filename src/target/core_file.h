// The bytes of a core file, which systemd-coredump and others may have compressed.
#pragma once

#include <string>

#include "base/mapping.h"
#include "base/result.h"

namespace culprit {

struct CoreFile {
  Mapping mapping;         // of the file, or of what it was decompressed into
  std::string incomplete;  // why the decompressed bytes end early, as a clause; empty: they do not
};

struct DecompressionLimits {
  uint64_t most_bytes = uint64_t{256} << 30;
  uint64_t keep_free = uint64_t{64} << 20;  // of the disk, for the others who use it
};

// Decompresses zstd and lz4 (frame format) into a file without name in $TMPDIR or /var/tmp; pages of zeros take no
// room there. A compressed file that is damaged or cut off gives what comes before the damage.
// ErrorKind::unsupported: compressed otherwise; limit: too large, or no room.
Result<CoreFile> read_core_file(const std::string& path, const DecompressionLimits& limits = {});

}  // namespace culprit
