// What a system call number says about the handle it made: facts/linux-peers.md §5b as a table.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace culprit {

struct CallDescription {
  std::string call;       // "openat", "ioctl(TIOCGPTPEER)"; "system call 999" when unknown
  std::string_view type;  // a handle_type; empty: the call does not tell
  std::string name;       // "socket tcp", "eventfd"; empty: the call does not tell
};

// `extra` as wire/agent_events.h defines it for OPEN; 0 for other records.
CallDescription describe_call(uint16_t number, uint64_t extra);

// The type that a path tells, for calls of the open family: terminal, device or `otherwise`.
std::string_view type_by_path(std::string_view path, std::string_view otherwise);

// Where an ioctl that makes a handle puts it: at this offset of what its argument points at, or into its result.
// Nothing: it makes none.
inline constexpr int ioctl_result = -1;
std::optional<int> handle_in_ioctl(uint32_t request);

// The system calls whose sites in libc and its loader the agent wants to patch.
std::span<const uint16_t> patched_calls();
// False: one that is patched only for the page about a crash.
bool concerns_handles(uint16_t patched_call);

}  // namespace culprit
