// What has changed: between two moments of a recording, or between two recordings.
#pragma once

#include <string>
#include <vector>

#include "analysis/handle_diff.h"
#include "analysis/recording_diff.h"
#include "view/text_style.h"

namespace culprit {

// What the moments are called: marks, or times.
struct MomentNames {
  std::string from, to;
};

std::string handle_diff_as_text(const HandleDiff& diff, const MomentNames& names, const TextStyle& style);
std::string handle_diff_as_json(const HandleDiff& diff, const MomentNames& names, const std::string& target);

// `before` and `after` are the recordings' paths.
std::string recording_diff_as_text(const RecordingDiff& diff, const std::string& before, const std::string& after,
                                   const TextStyle& style);
std::string recording_diff_as_json(const RecordingDiff& diff, const std::string& before, const std::string& after);
// "  different builds, whose frames …"; empty: there are none.
std::string different_builds_text(const std::vector<std::string>& modules, const TextStyle& style);
std::string recording_diff_as_csv(const RecordingDiff& diff);

}  // namespace culprit
