#include "shell/values.h"

#include <gtest/gtest.h>

#include "shell/suggest.h"

namespace culprit {
namespace {

TEST(Duration, HasANumberAndAUnit) {
  EXPECT_EQ(parse_duration("10s"), 10'000'000'000);
  EXPECT_EQ(parse_duration("500ms"), 500'000'000);
  EXPECT_EQ(parse_duration("2min"), 120'000'000'000);
  EXPECT_EQ(parse_duration("1.5h"), 5'400'000'000'000);
  EXPECT_EQ(parse_duration("0s"), 0);
  EXPECT_EQ(parse_duration("0"), 0) << "whatever the unit";
}

TEST(Duration, RefusesWhatCouldMeanAnything) {
  for (std::string_view text :
       {"", "10", "s", "ten s", "-1s", "10 s", "1e99h", "nans", "infs", "10sx", "99999999999999h"})
    EXPECT_FALSE(parse_duration(text)) << text;
}

TEST(Count, IsAWholeNumberFromOneOn) {
  EXPECT_EQ(parse_count("17"), 17u);
  for (std::string_view text : {"", "0", "-1", "1.5", "x", "1x", "99999999999999999999999"})
    EXPECT_FALSE(parse_count(text)) << text;
}

TEST(Size, HasANumberAndAUnit) {
  EXPECT_EQ(parse_size("512k"), 512u << 10);
  EXPECT_EQ(parse_size("64M"), 64u << 20);
  EXPECT_EQ(parse_size("1.5GiB"), 3u << 29);
  EXPECT_EQ(parse_size("8GB"), uint64_t{8} << 30);
  for (std::string_view text : {"", "8", "G", "-1M", "0M", "8 G", "8x", "8Gb", "99999999999T"})
    EXPECT_FALSE(parse_size(text)) << text;
}

TEST(CheckValue, SaysWhatWasExpected) {
  OptionRow after{"--after", "", ValueKind::duration, "DURATION", ""};
  auto checked = check_value(after, "ten");
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().kind, ErrorKind::usage);
  EXPECT_EQ(checked.error().what, "--after wants a duration such as 500ms, 10s or 2min, not 'ten'");
}

TEST(Nearest, FindsTheWordThatWasMeant) {
  constexpr std::string_view words[] = {"run", "handles", "doctor", "help", "completion"};
  EXPECT_EQ(nearest("hanldes", words), "handles");
  EXPECT_EQ(nearest("handle", words), "handles");
  EXPECT_EQ(nearest("rnu", words), "run");
  EXPECT_EQ(nearest("docter", words), "doctor");
  EXPECT_EQ(nearest("comp", words), "completion");
}

TEST(Nearest, DoesNotGuessWildly) {
  constexpr std::string_view words[] = {"run", "handles", "doctor"};
  EXPECT_EQ(nearest("", words), "");
  EXPECT_EQ(nearest("frobnicate", words), "");
  EXPECT_EQ(nearest("xyz", words), "");
  EXPECT_EQ(nearest(std::string(100'000, 'h'), words), "");
}

}  // namespace
}  // namespace culprit
