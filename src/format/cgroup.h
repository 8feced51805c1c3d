// The texts by which the kernel tells of control groups (cgroups(7); Documentation/admin-guide/cgroup-v2.rst and
// cgroup-v1/memory.rst). Any bytes are safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace culprit {

// Of /proc/PID/cgroup: the path of a process's group in the hierarchy of a controller ("memory"); "" is the unified one
// of version 2. Nothing: there is no such hierarchy. Refers to the text.
std::optional<std::string_view> cgroup_path(std::string_view text, std::string_view controller);

// Of a file with one number, like memory.current. Nothing: none, or "max", or so large that version 1 means no limit.
std::optional<uint64_t> cgroup_number(std::string_view text);

// Of a file with lines "key number", like memory.events. Nothing: no such line.
std::optional<uint64_t> cgroup_counter(std::string_view text, std::string_view key);

}  // namespace culprit
