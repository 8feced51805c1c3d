// Tells which files culprit would need, and where it looked for them.
#pragma once

#include <span>
#include <string>

#include "analysis/missing_modules.h"
#include "view/text_style.h"

namespace culprit {

struct MissingModulesOptions {
  TextStyle style;
  size_t most = 10;
  bool is_core = true;  // then files may be put beside it
};

// Lines with newlines; empty: nothing is missing.
std::string missing_modules_text(std::span<const MissingModule> modules, const MissingModulesOptions& options);

}  // namespace culprit
