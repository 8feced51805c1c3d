// More of /proc/PID/status than procfs.h reads (proc_pid_status(5)), and /proc/uptime. Any bytes are safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace culprit {

// Bit 0 is signal 1. Nothing: the text does not say.
struct SignalSets {
  uint64_t ignored = 0, caught = 0;  // SigIgn, SigCgt
};
std::optional<SignalSets> parse_signal_sets(std::string_view status);

// Bytes. Nothing: not told, as of kernel threads.
struct MemoryUse {
  std::optional<uint64_t> resident, most_resident, swapped, address_space;  // VmRSS, VmHWM, VmSwap, VmSize
};
MemoryUse parse_memory_use(std::string_view status);

// /proc/uptime: seconds since the machine began. Nothing: the text is none.
std::optional<double> parse_uptime(std::string_view text);

}  // namespace culprit
