// Processes in another pid namespace than ours (containers): what they call a thread, in their locks and calls, is not
// what we call it.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>

namespace culprit {

// False also if the process is gone.
bool has_own_numbers(uint32_t pid);
// Our id of each thread of the process, by its own; the same ones where the namespace is ours.
std::unordered_map<uint32_t, uint32_t> threads_by_own_number(uint32_t pid);
// Our id of a child of the process; nothing: it has none of that number.
std::optional<uint32_t> child_by_own_number(uint32_t pid, uint32_t child);

}  // namespace culprit
