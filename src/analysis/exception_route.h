// How far an exception came.
#pragma once

#include <optional>
#include <span>

#include "target/target.h"
#include "unwind/unwinder.h"

namespace culprit {

// The innermost of these frames that lets no exception out of the call it stands in, by its exception table: noexcept
// functions, destructors among them. Index. Nothing: none does, or a table on the way there cannot be read.
std::optional<size_t> frame_that_keeps_exceptions(Target& target, std::span<const WalkedFrame> frames);

}  // namespace culprit
