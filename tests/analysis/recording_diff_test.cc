#include "analysis/recording_diff.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "analysis/column_value.h"
#include "support/trace_names.h"

namespace culprit {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::TraceBuilder;

// A program of one process which makes handles by the functions named, so many of each; they stay open.
struct Recorded {
  TraceBuilder trace;
  ProcessId process = ProcessId::none;

  explicit Recorded(uint32_t pid, const std::string& build, uint64_t shift = 0) {
    process = trace.process(pid, "server");
    trace.build("server", build, shift);
    trace.launch(0, process);
  }
  Recorded& makes(int count, const std::string& function, bool closes = false) {
    const StackId stack = trace.stack(fmt::format("{}@server main@server", function));
    for (int i = 0; i < count; ++i, ++value) {
      trace.open(static_cast<double>(value), process, value, {.stack = stack});
      if (closes) trace.close(static_cast<double>(value) + 0.5, process, value);
    }
    return *this;
  }
  int64_t value = 3;
};

class RecordingDiffTest : public ::testing::Test {
 protected:
  // "grew f 1>3"
  static std::vector<std::string> rows(const RecordingDiff& diff) {
    std::vector<std::string> words;
    for (const DiffRow& row : diff.rows) {
      words.push_back(fmt::format("{} {} {}>{}", name_of(row.change), blamed_function(row.stack), row.before.count,
                                  row.after.count));
    }
    return words;
  }
  static RecordingDiff diff(Recorded& before, Recorded& after, RecordingDiffOptions options = {}) {
    // Two recordings, one lookup: the module tells which of them is asked about.
    const SymbolLookup lookup = [&](std::span<const SymbolRequest> requests) {
      const Module* first = before.trace.tables().modules.data();
      const bool of_before =
          requests[0].module >= first && requests[0].module < first + before.trace.tables().modules.size();
      return testing::names_in(of_before ? before.trace : after.trace)(requests);
    };
    before.trace.ends(1000);
    after.trace.ends(1000);
    auto built = diff_recordings(before.trace, after.trace, lookup, options);
    EXPECT_TRUE(built);
    return built ? *built : RecordingDiff{};
  }
};

TEST_F(RecordingDiffTest, SaysWhatIsNewGrewShrankAndWent) {
  Recorded before(100, "b1"), after(200, "b1");
  before.makes(1, "grows").makes(5, "shrinks").makes(2, "goes").makes(3, "stays");
  after.makes(4, "grows").makes(3, "shrinks").makes(0, "goes").makes(3, "stays").makes(9, "comes");
  const RecordingDiff report = diff(before, after);
  // "comes" stands last in the program, so the addresses of the others are the same.
  EXPECT_THAT(rows(report), ElementsAre("new comes 0>9", "grew grows 1>4", "shrank shrinks 5>3", "went goes 2>0"));
  EXPECT_THAT(report.rows_by, ElementsAre(1, 1, 1, 1, 1));
  EXPECT_EQ(report.total_before.count, 11);
  EXPECT_EQ(report.total_after.count, 19);
  EXPECT_THAT(report.modules_by_name, IsEmpty());
  EXPECT_THAT(rows(diff(before, after, {.all = true})), ::testing::Contains("same stays 3>3"));
}

TEST_F(RecordingDiffTest, MatchesFunctionsOfDifferentBuildsByName) {
  Recorded before(100, "b1"), after(100, "b2", 0x5550);
  before.makes(2, "kept").makes(1, "leaks");
  after.makes(7, "leaks").makes(2, "kept");
  const RecordingDiff report = diff(before, after);
  EXPECT_THAT(rows(report), ElementsAre("grew leaks 1>7"));
  EXPECT_THAT(report.modules_by_name, ElementsAre("/home/me/server"));
}

TEST_F(RecordingDiffTest, OfOneBuildNeedsNoNamesToMatch) {
  Recorded before(100, "b1"), after(100, "b1");
  before.makes(1, "leaks");
  after.makes(2, "leaks");
  before.trace.ends(1000);
  after.trace.ends(1000);
  auto report = diff_recordings(before.trace, after.trace, {}, {});
  ASSERT_TRUE(report);
  EXPECT_EQ(report->rows_by[static_cast<size_t>(StackChange::grew)], 1);
}

TEST_F(RecordingDiffTest, CountsWhatAStackMadeBesideWhatItLeft) {
  Recorded before(100, "b1"), after(100, "b1");
  before.makes(10, "f", true);
  after.makes(10, "f", true).makes(1, "f");
  const RecordingDiff report = diff(before, after);
  ASSERT_THAT(rows(report), ElementsAre("new f 0>1"));
  EXPECT_EQ(report.rows[0].before.created, 10);
  EXPECT_EQ(report.rows[0].after.created, 11);
}

TEST_F(RecordingDiffTest, KeepsWhatChangedMost) {
  Recorded before(100, "b1"), after(100, "b1");
  before.makes(1, "a").makes(20, "b").makes(3, "c");
  after.makes(2, "a").makes(1, "b").makes(9, "c");
  const RecordingDiff report = diff(before, after, {.top = 2});
  EXPECT_THAT(rows(report), ElementsAre("grew c 3>9", "shrank b 20>1"));
  EXPECT_EQ(report.rows_hidden, 1);
}

TEST_F(RecordingDiffTest, CarriesTheLossesOfBoth) {
  Recorded before(100, "b1"), after(100, "b1");
  before.trace.loss({.kind = LossKind::ring_full, .count = 2});
  after.trace.loss({.kind = LossKind::ring_full, .count = 3}).loss({.kind = LossKind::thread_slots, .count = 1});
  const RecordingDiff report = diff(before, after);
  ASSERT_THAT(report.losses, ::testing::SizeIs(2));
  EXPECT_EQ(report.losses[0].count, 5);
  EXPECT_FALSE(is_exact(report.losses));
}

}  // namespace
}  // namespace culprit
