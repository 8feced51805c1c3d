#include "view/allocation_views.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace culprit {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(AllocationText, OfARecordingThatLostAllDoesNotSayThatNothingWasAllocated) {
  AllocationReport report;
  report.exact = true;
  EXPECT_THAT(as_text(report, {}), HasSubstr("no memory was allocated"));
  report.exact = false;
  EXPECT_THAT(as_text(report, {}), Not(HasSubstr("no memory was allocated")));
  EXPECT_THAT(as_text(report, {}), HasSubstr("nothing was recorded"));
}

}  // namespace
}  // namespace culprit
