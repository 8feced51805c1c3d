// The history of one number of a handle table.
#pragma once

#include <string>

#include "analysis/value_history.h"
#include "view/text_style.h"

namespace culprit {

struct ValueTextOptions {
  TextStyle style;
  bool details = false;  // every frame
};

std::string value_as_text(const ValueHistory& history, const ValueTextOptions& options);
std::string value_as_json(const ValueHistory& history, const std::string& target);

}  // namespace culprit
