// The file behind a mapping of another process, as we can open it.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <string>

#include "format/procfs.h"

namespace culprit {

// A path of ours to it: the same one where it means the same file here, else through the process's root directory
// (another mount namespace), its /proc/PID/exe or /proc/PID/map_files (deleted files; the latter takes
// CAP_CHECKPOINT_RESTORE). Empty, and `info` is zero: it is not to be had.
std::string reachable_path(uint32_t pid, const MapsEntry& entry, struct stat& info);

}  // namespace culprit
