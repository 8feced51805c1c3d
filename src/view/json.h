// What all JSON of culprit has in common. For view/*.cc only: nobody else needs to know the library.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace culprit {

using Json = nlohmann::ordered_json;

inline constexpr int json_schema = 1;

// JSON is UTF-8; paths and symbols are bytes. Bytes that are not UTF-8 become U+FFFD; control characters stay, as JSON
// escapes them, so that programs get the true name.
std::string utf8(std::string_view foreign);

// Indented, with a newline at the end.
std::string json_text(const Json& value);

}  // namespace culprit
