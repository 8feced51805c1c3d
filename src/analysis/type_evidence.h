// What a call says about a handle's type, against what /proc says about it later.
#pragma once

#include <string_view>

namespace culprit {

// True when one and the same handle cannot have both types, so that its number must have been reused unseen. open() of
// a path can give nearly anything that has a path, so that "file" from a call contradicts only what has none.
bool types_contradict(std::string_view one, std::string_view other);

// True when `seen` (from /proc) says more than `known` does.
bool type_improves(std::string_view known, std::string_view seen);

// Likewise for names: `seen` replaces nothing, a relative path, or the bare kind of a socket.
bool name_improves(std::string_view type, std::string_view known, std::string_view seen);

}  // namespace culprit
