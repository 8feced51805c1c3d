// What has changed in the memory that is left.
#pragma once

#include <string>

#include "analysis/memory_diff.h"
#include "view/text_style.h"

namespace culprit {

// What the two are called: paths of recordings, or moments of one.
struct MemoryDiffNames {
  std::string before, after;
};

std::string memory_diff_as_text(const MemoryDiff& diff, const MemoryDiffNames& names, const TextStyle& style);
// `target`: the recording asked about, the one after.
std::string memory_diff_as_json(const MemoryDiff& diff, const MemoryDiffNames& names, const std::string& target);

}  // namespace culprit
