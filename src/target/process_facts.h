// Small facts about a live process, from /proc.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "format/procfs.h"

namespace culprit {

std::string process_name(uint32_t pid);     // at most 15 bytes, foreign; empty: it is gone
std::string process_command(uint32_t pid);  // arguments joined by blanks, foreign; empty: gone, or a kernel thread
std::optional<ProcessStat> process_stat(uint32_t pid);
// Whether a process is in another namespace ("net", "mnt" …) than we are; false also where that cannot be known.
bool is_in_other_namespace(uint32_t pid, const char* kind);

}  // namespace culprit
