// What the C library said before it aborted. glibc keeps it for whoever looks at the core: __abort_msg points to a size
// and the text (glibc, include/stdlib.h, struct abort_msg_s).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "analysis/target_names.h"

namespace culprit {

// Without the newline at its end; empty: there is none. Foreign.
std::string read_abort_message(Target& target, TargetNames& names);

// "server: src/cart.cc:41: void add(int): Assertion `n > 0' failed."
struct FailedAssertion {
  std::string expression, file, function;
  uint32_t line = 0;

  bool operator==(const FailedAssertion&) const = default;
};
std::optional<FailedAssertion> parse_assertion(std::string_view message);

}  // namespace culprit
