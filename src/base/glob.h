// Patterns as people write them: `*` any characters, `?` one.
#pragma once

#include <string_view>

namespace culprit {

// The whole text must match. At most |pattern| * |text| steps.
bool glob_matches(std::string_view pattern, std::string_view text);

// A pattern with "/" is compared with the whole path, one without it with the file name alone.
bool path_glob_matches(std::string_view pattern, std::string_view path);

}  // namespace culprit
