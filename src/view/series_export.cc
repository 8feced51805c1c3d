#include "view/column_json.h"
#include "view/csv.h"
#include "view/report_json.h"
#include "view/series_views.h"

namespace culprit {

namespace {

// Each number of a point as a list of its own: shorter, and what plotting libraries take.
Json line_json(const SeriesLine& line) {
  Json json = Json::object();
  if (line.value) json["value"] = column_json(*line.value);
  json["start"] = line.start;
  json["peak"] = line.peak;
  json["peak_at"] = number_or_null(line.peak_at);
  Json open = Json::array(), most = Json::array(), created = Json::array(), closed = Json::array();
  for (const SeriesPoint& point : line.points) {
    open.push_back(point.open);
    most.push_back(point.most);
    created.push_back(point.created);
    closed.push_back(point.closed);
  }
  json["open"] = open;
  json["most"] = most;
  json["created"] = created;
  json["closed"] = closed;
  return json;
}

void add_points(const HandleSeries& series, const SeriesLine& line, std::string& text) {
  for (size_t i = 0; i < line.points.size(); ++i) {
    const SeriesPoint& point = line.points[i];
    CsvRow row;
    row.number(series.from + series.width * static_cast<double>(i + 1));
    if (line.value) add_column_cells(row, *line.value);
    row.number(point.open).number(point.most).number(point.created).number(point.closed);
    text += std::move(row).line();
  }
}

}  // namespace

std::string series_as_json(const HandleSeries& series, const std::string& target) {
  Json answer = answer_json(series.basis, target);
  answer["by"] = series.by ? Json(name_of(*series.by)) : Json(nullptr);
  answer["from"] = number_or_null(series.from);
  answer["width"] = number_or_null(series.width);
  answer["all"] = line_json(series.all);
  answer["lines"] = list_json(series.lines, line_json);
  answer["lines_hidden"] = series.lines_folded;
  answer["marks"] = list_json(series.marks, [](const SeriesMark& mark) {
    return Json{{"time", number_or_null(mark.time)}, {"name", utf8(mark.name)}};
  });
  return json_text(answer);
}

std::string series_as_csv(const HandleSeries& series) {
  CsvRow heads;
  heads.text("seconds");
  if (series.by) add_column_heads(heads, *series.by);
  for (const char* head : {"open", "most", "created", "closed"}) heads.text(head);
  std::string text = std::move(heads).line();
  if (!series.by) add_points(series, series.all, text);
  for (const SeriesLine& line : series.lines) add_points(series, line, text);
  return text;
}

}  // namespace culprit
