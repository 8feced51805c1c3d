#include "view/allocation_views.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "view/memory_diff_views.h"

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

AllocationGroup mapped(uint64_t count, std::string caller) {
  AllocationGroup group;
  group.mapping = "anonymous";
  group.outstanding = {count, count * 4096};
  group.smallest = group.largest = 4096;
  for (std::string& function : std::vector<std::string>{"take", std::move(caller)})
    group.stack.frames.push_back({.function = std::move(function), .module = "program", .own = true});
  group.stack.blamed = 0;
  return group;
}

TEST(MappingsText, TellsStacksApartByTheirCallersAndAddsUpWhatItCannot) {
  AllocationReport report;
  report.mappings.made = report.mappings.outstanding = {6, 6 * 4096};
  report.mappings.groups = {mapped(3, "read"), mapped(2, "write"), mapped(1, "read")};
  const std::string text = as_text(report, {.style = {.columns = 80}});
  EXPECT_THAT(text, HasSubstr("16.4 kB in       4  anonymous    take (program+0x0) ← read\n"));
  EXPECT_THAT(text, HasSubstr("8.2 kB in       2  anonymous    take (program+0x0) ← write\n"));
}

TEST(AllocationText, OfMappingsBySizeOverTimeCallsThemSo) {
  AllocationReport report{.kind = RecordedMemory::mappings,
                          .view = AllocationView::over_time,
                          .by = AllocationKey::size,
                          .groups = {mapped(1, "read")}};
  report.made = report.most = {1, 4096};
  EXPECT_THAT(as_text(report, {}), HasSubstr("mappings of 4,096 bytes"));
  EXPECT_THAT(as_text(report, {}), Not(HasSubstr("block")));
}

TEST(MemoryDiffText, CountsOneMappingAsOne) {
  MemoryDiff diff{.kind = RecordedMemory::mappings, .before = {}, .after = {}};
  diff.rows.push_back({.before = {3, 3 * 4096}, .after = {1, 4096}, .stack = mapped(1, "read").stack});
  EXPECT_THAT(memory_diff_as_text(diff, {"monday", "tuesday"}, {}), HasSubstr("left in 3 → 1 mapping\n"));
}

}  // namespace
}  // namespace culprit
