// For view/*.cc only, as view/json.h.
#pragma once

#include <string>

#include "target/process_use.h"
#include "view/json.h"

namespace culprit {

Json process_use_json(const ProcessUse& use, const std::string& handle_maker);

}  // namespace culprit
