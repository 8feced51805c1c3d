// What people type for numbers and times.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shell/command.h"

namespace culprit {

// "500ms", "10s", "1.5min", "2h" in nanoseconds. A unit is needed, so that nobody has to guess it, but for "0".
std::optional<int64_t> parse_duration(std::string_view text);
std::optional<uint64_t> parse_count(std::string_view text);
// "512k", "64M", "1.5G", "8GB" in bytes; multiples of 1024, whatever the unit is called.
std::optional<uint64_t> parse_size(std::string_view text);

// The number of a handle: 12, or 0x2b4 as debuggers show HANDLEs.
Result<int64_t> parse_handle_value(std::string_view text);
// "a,b" as a and b, without empty ones.
std::vector<std::string> comma_separated(std::string_view list);

// Help has brackets around a value that may be left out.
inline bool may_lack_value(const OptionRow& option) { return option.value.starts_with('['); }
// Whether `value` is of the option's kind; the error says what was expected.
Result<void> check_value(const OptionRow& option, std::string_view value);

}  // namespace culprit
