// The blocks that a recording's programs have had at one address.
#pragma once

#include <string>

#include "analysis/block_history.h"
#include "view/text_style.h"

namespace culprit {

struct BlockHistoryTextOptions {
  TextStyle style;
  bool details = false;  // every frame
  bool source = true;
};

std::string as_text(const BlockHistory& history, const BlockHistoryTextOptions& options);
std::string as_json(const BlockHistory& history, const std::string& target);

}  // namespace culprit
