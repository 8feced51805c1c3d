#include "view/chart.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.h"

namespace culprit {
namespace {

using ::testing::ElementsAre;

TEST(Chart, ResamplesToTheHighestOfEachShare) {
  EXPECT_THAT(resampled({1, 5, 2, 2}, 2), ElementsAre(5, 2));
  EXPECT_THAT(resampled({1, 2}, 4), ElementsAre(1, 1, 2, 2));
  EXPECT_THAT(resampled({}, 2), ElementsAre(0, 0));
}

TEST(Chart, SparklinesShowWhatIsNotNothing) {
  EXPECT_EQ(sparkline({0, 1, 50, 100}, 100, 4, {}), " ▁▄█");
  EXPECT_EQ(sparkline({0, 1, 50, 100}, 100, 4, {.unicode = false}), " .:#");
  EXPECT_EQ(sparkline({0, 0}, 0, 2, {}), "  ");
}

TEST(Chart, HasAScaleAndTheTime) {
  std::vector<uint64_t> numbers;
  for (uint64_t i = 0; i <= 100; ++i) numbers.push_back(i);
  EXPECT_EQ(chart_text(numbers, {.rows = 4, .from = 0, .to = 10}, {.columns = 40}),
            "    100 ┤                       ▁▃▄▄▆▇█\n"
            "        │               ▁▂▃▄▅▆▇████████\n"
            "     50 ┤        ▁▂▄▄▅▇████████████████\n"
            "        │▁▂▃▄▅▆▇███████████████████████\n"
            "      0 └──────────────────────────────\n"
            "         0 s         5.0 s         10 s\n");
}

TEST(Chart, FitsTheColumns) {
  for (size_t columns : {40, 80, 200}) {
    const std::string text = chart_text({1, 1000000, 3}, {.from = 0, .to = 1}, {.columns = columns, .unicode = false});
    size_t start = 0;
    for (size_t end = text.find('\n'); end != std::string::npos; start = end + 1, end = text.find('\n', start))
      EXPECT_LE(display_width(text.substr(start, end - start)), columns);
  }
}

TEST(Chart, OfNothingIsEmptyNotWrong) { EXPECT_THAT(chart_text({}, {}, {.columns = 40}), ::testing::HasSubstr("0 └")); }

}  // namespace
}  // namespace culprit
