// The number of open handles over time: a chart for people, points for programs and spreadsheets.
#pragma once

#include <string>

#include "analysis/handle_series.h"
#include "view/text_style.h"

namespace culprit {

std::string series_as_text(const HandleSeries& series, const TextStyle& style);
std::string series_as_json(const HandleSeries& series, const std::string& target);
// One row per point; with lines, one per point and line.
std::string series_as_csv(const HandleSeries& series);

}  // namespace culprit
