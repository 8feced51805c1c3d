// Pages about crashes within other answers. For view/*.cc only, as view/json.h.
#pragma once

#include "view/crash_views.h"
#include "view/json.h"

namespace culprit {

Json crash_json(const CrashReport& report);
Json crashes_json(const Crashes& crashes);

}  // namespace culprit
