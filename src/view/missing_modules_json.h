// For view/*.cc only, as view/json.h.
#pragma once

#include <span>

#include "analysis/missing_modules.h"
#include "view/json.h"

namespace culprit {

// "missing_modules" of an answer.
Json missing_modules_json(std::span<const MissingModule> modules);

}  // namespace culprit
