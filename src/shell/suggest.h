// "Did you mean …?"
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace culprit {

// The candidate that a slip of the fingers turns into `word` (swapped, missing, added or wrong letters, or only its
// beginning typed); empty when none is near.
std::string_view nearest(std::string_view word, std::span<const std::string_view> candidates);

}  // namespace culprit
