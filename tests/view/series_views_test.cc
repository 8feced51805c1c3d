#include "view/series_views.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace culprit {
namespace {

using ::testing::HasSubstr;
using Json = nlohmann::json;

SeriesLine line(std::vector<uint64_t> numbers) {
  SeriesLine line;
  for (uint64_t number : numbers) {
    line.points.push_back({number, number, 1, 0});
    line.peak = std::max(line.peak, number);
  }
  line.peak_at = 4;
  return line;
}

HandleSeries sample() {
  HandleSeries series;
  series.by = HandleColumn::type;
  series.width = 1;
  series.all = line({1, 2, 3, 4});
  series.lines = {line({1, 2, 2, 2}), line({0, 0, 1, 2})};
  series.lines[0].value = ColumnValue{.column = HandleColumn::type, .text = "socket"};
  series.lines[1].value = ColumnValue{.column = HandleColumn::type, .text = "pipe"};
  series.lines_folded = 3;
  series.marks = {{2.5, "load"}};
  series.basis.duration = 4;
  series.basis.processes = 2;
  return series;
}

TEST(SeriesAsText, DrawsTheSumAndALineForEachValue) {
  const std::string text = series_as_text(sample(), {});
  EXPECT_THAT(text, HasSubstr("culprit: at most 4 handles open, at 4.0 s; 0 at the beginning, 4 at the end, in\n"
                              "         4.0 s by 2 processes\n"));
  EXPECT_THAT(text, HasSubstr("      4 ┤"));
  EXPECT_THAT(text, HasSubstr("  type                            most   end  each on its own scale\n"));
  EXPECT_THAT(text, HasSubstr("  socket                             2     2  ▄▄▄▄▄▄▄▄"));
  EXPECT_THAT(text, HasSubstr("  … 3 more\n"));
  EXPECT_THAT(text, HasSubstr("  marks: load at 2.5 s\n"));
}

TEST(SeriesAsJson, HasThePointsAsLists) {
  const Json answer = Json::parse(series_as_json(sample(), "x.culprit"));
  EXPECT_EQ(answer["exact"], true);
  EXPECT_EQ(answer["by"], "type");
  EXPECT_EQ(answer["all"]["open"], Json({1, 2, 3, 4}));
  EXPECT_EQ(answer["lines"][1]["value"], "pipe");
  EXPECT_EQ(answer["lines"][1]["created"], Json({1, 1, 1, 1}));
  EXPECT_EQ(answer["lines_hidden"], 3);
  EXPECT_EQ(answer["marks"][0]["name"], "load");
}

TEST(SeriesAsCsv, HasARowForEachPointOfEachLine) {
  EXPECT_EQ(series_as_csv(sample()),
            "seconds,type,open,most,created,closed\n"
            "1,socket,1,1,1,0\n2,socket,2,2,1,0\n3,socket,2,2,1,0\n4,socket,2,2,1,0\n"
            "1,pipe,0,0,1,0\n2,pipe,0,0,1,0\n3,pipe,1,1,1,0\n4,pipe,2,2,1,0\n");
  HandleSeries sum = sample();
  sum.by.reset();
  sum.lines.clear();
  EXPECT_THAT(series_as_csv(sum), HasSubstr("seconds,open,most,created,closed\n1,1,1,1,0\n"));
}

}  // namespace
}  // namespace culprit
