// The parts that the JSON answers share. For view/*.cc only, as view/json.h.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "analysis/answer_basis.h"
#include "analysis/handle_report.h"
#include "view/json.h"

namespace culprit {

Json number_or_null(double number);
// Words of the interface have no spaces, so that they can be typed in a filter.
std::string word(std::string_view name);

Json frames_json(const ReportStack& stack);
Json blamed_json(const ReportStack& stack);
Json process_json(const ProcessCount& process);  // without its count; null when there is none
Json handle_json(const ReportHandle& handle);
Json losses_json(const std::vector<MergedLoss>& losses);
Json example_json(const HandleExample& example);
// What every answer about a recording begins with.
Json answer_json(const AnswerBasis& basis, const std::string& target);
// "recording" and "window" of an answer about one of two recordings.
Json recording_json(const AnswerBasis& basis);
Json window_json(const AnswerBasis& basis);

template <typename Row, typename ToJson>
Json list_json(const std::vector<Row>& rows, ToJson to_json) {
  Json list = Json::array();
  for (const Row& row : rows) list.push_back(to_json(row));
  return list;
}

template <typename How, size_t count>
Json counts_json(const uint64_t (&counts)[count]) {
  Json object = Json::object();
  for (size_t at = 0; at < count; ++at)
    if (counts[at] != 0) object[word(name_of(static_cast<How>(at)))] = counts[at];
  return object;
}

}  // namespace culprit
