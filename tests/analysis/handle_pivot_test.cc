#include "analysis/handle_pivot.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/trace_names.h"

namespace culprit {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using testing::TraceBuilder;

class HandlePivotTest : public ::testing::Test {
 protected:
  HandlePivot pivot(std::string_view by, LifeFilter filter = {}) {
    return pivot(HandlePivotOptions{.columns = *parse_columns(by), .filter = std::move(filter)});
  }
  HandlePivot pivot(const HandlePivotOptions& options) {
    auto built = build_handle_pivot(trace, testing::names_in(trace), options);
    EXPECT_TRUE(built);
    return built ? *built : HandlePivot{};
  }
  LifeFilter all() { return {.lives = Lives::all}; }

  static std::string word(const ColumnValue& value) {
    if (value.state != ColumnState::none) return std::string(name_of(value.state));
    if (value.column == HandleColumn::how)
      return fmt::format("{}-{}", name_of(value.how_created), name_of(value.how_closed));
    if (!value.stack.frames.empty()) return blamed_function(value.stack);
    return value.number == 0 ? value.text : fmt::format("{}:{}", value.text, value.number);
  }
  // "open event:3 ( a:2 b:1 )"
  static std::string tree(const PivotNode& node) {
    std::string text;
    for (const PivotNode& child : node.children) {
      text += fmt::format("{}{}={}", text.empty() ? "" : " ", word(child.value), child.counts.outstanding());
      if (!child.children.empty() || child.folded != 0) text += "(" + tree(child) + ")";
    }
    if (node.folded != 0) text += fmt::format(" +{}={}", node.folded, node.folded_counts.outstanding());
    return text;
  }

  TraceBuilder trace;
  ProcessId server = trace.process(100, "server");
  StackId accept = trace.stack("accept@/lib/x86_64-linux-gnu/libc.so.6 serve@server main@server");
  StackId log = trace.stack("open@/lib/x86_64-linux-gnu/libc.so.6 log@server main@server");
};

TEST_F(HandlePivotTest, GroupsInTheOrderAskedFor) {
  trace.launch(0, server);
  for (int i = 0; i < 3; ++i) trace.open(10 + i, server, 3 + i, {.type = "socket", .stack = accept});
  trace.open(20, server, 9, {.type = "file", .stack = log}).ends(100);
  EXPECT_EQ(tree(pivot("type,stack").root), "socket=3(serve=3) file=1(log=1)");
  EXPECT_EQ(tree(pivot("stack,type").root), "serve=3(socket=3) log=1(file=1)");
  EXPECT_EQ(tree(pivot("default").root),
            "still open=4(server:100=4(socket=3(server:100=3(serve=3)) file=1(server:100=1(log=1))))");
  EXPECT_TRUE(pivot("type").basis.exact);
}

TEST_F(HandlePivotTest, TellsWhoMadeWhoHasAndWhoClosed) {
  ProcessId child = trace.process(101, "worker");
  trace.launch(0, server).open(1, server, 3, {.type = "socket", .stack = accept});
  trace.fork(2, server, child).close(3, child, 3).open(4, child, 4, {.type = "pipe"}).exit(5, child).ends(10);
  EXPECT_EQ(tree(pivot("closing,owning,creating").root),
            "hidden by exit=1(worker:101=1(worker:101=1)) still open=1(server:100=1(server:100=1))");
  // The child's copy was made by its parent and closed by itself.
  EXPECT_EQ(tree(pivot("closing,owning,creating", all()).root),
            "hidden by exit=1(worker:101=1(worker:101=1)) still open=1(server:100=1(server:100=1)) "
            "worker:101=0(worker:101=0(server:100=0))");
}

TEST_F(HandlePivotTest, CountsWhatWasThereBeforeOnlyOnRequest) {
  ProcessId child = trace.process(101, "worker");
  trace.snapshot(0, 0, server, SnapshotReason::start, true, {{.value = 0}, {.value = 1}});
  trace.fork(2, server, child).open(5, server, 3).ends(10);
  const HandlePivot outstanding = pivot("creating");
  EXPECT_EQ(tree(outstanding.root), "server:100=1");
  EXPECT_EQ(outstanding.existing, 4);  // two there before, and the child's copies of them
  EXPECT_EQ(tree(pivot("creating", all()).root), "before the recording=2 unseen=2 server:100=1");
}

TEST_F(HandlePivotTest, AssumesNoRootProcess) {
  for (uint32_t pid = 200; pid < 230; ++pid) {
    ProcessId process = trace.process(pid, pid % 2 == 0 ? "cc1" : "as");
    trace.launch(1, process).open(2, process, 3).exit(3, process);
  }
  trace.ends(10);
  EXPECT_EQ(pivot("closing,owning").groups, 30);
  EXPECT_EQ(tree(pivot("closing,program").root), "hidden by exit=30(cc1=15 as=15)");
}

TEST_F(HandlePivotTest, GroupsByWhatEachWordSays) {
  trace.launch(0, server).thread(1, server, 7, "acceptor");
  trace.open(1, server, 3, {.type = "file", .name = "/etc/hosts", .stack = log, .tid = 7});
  trace.dup(2, server, 3, 4).close(3, server, 4).ends(10);
  EXPECT_EQ(tree(pivot("name,thread").root), "/etc/hosts=1(acceptor:7=1)");
  EXPECT_EQ(tree(pivot("module,function").root), "/home/me/server=1(log=1)");
  EXPECT_EQ(tree(pivot("how", all()).root), "open-still open=1 duplicate-close=0");
  // The duplicate is a handle on the same object.
  const HandlePivot objects = pivot("object", all());
  ASSERT_THAT(objects.root.children, SizeIs(1));
  EXPECT_EQ(objects.root.children[0].counts.created(), 2);
}

TEST_F(HandlePivotTest, DifferentStacksWithOneFunctionAreOneGroupByFunction) {
  StackId other = trace.stack("open@/lib/x86_64-linux-gnu/libc.so.6 log@server retry@server main@server");
  trace.launch(0, server);
  trace.open(1, server, 3, {.stack = log}).open(2, server, 4, {.stack = other}).ends(10);
  EXPECT_EQ(pivot("stack").groups, 2);
  EXPECT_EQ(tree(pivot("function").root), "log=2");
}

TEST_F(HandlePivotTest, ClosingStacksAreAColumnToo) {
  trace.launch(0, server).open(1, server, 3, {.stack = log});
  trace.close(2, server, 3, 1, trace.stack("close@/lib/x86_64-linux-gnu/libc.so.6 cleanup@server")).ends(10);
  EXPECT_EQ(tree(pivot("closing_stack", all()).root), "cleanup=0");
}

TEST_F(HandlePivotTest, EndsOfTheTreeNameTheOldestHandle) {
  trace.launch(0, server);
  trace.open(30, server, 7, {.name = "late"}).open(10, server, 5, {.name = "early"}).ends(100);
  const HandlePivot report = pivot("type");
  ASSERT_THAT(report.root.children, SizeIs(1));
  EXPECT_EQ(report.root.children[0].example.value, 5);
  EXPECT_EQ(report.root.children[0].example.name, "early");
  EXPECT_DOUBLE_EQ(report.root.children[0].first_created, 0.010);
  EXPECT_DOUBLE_EQ(report.root.children[0].last_created, 0.030);
}

TEST_F(HandlePivotTest, KeepsTheRowsThatSayMostAndFoldsTheRest) {
  trace.launch(0, server);
  int64_t value = 3;
  for (int type = 0; type < 20; ++type) {
    for (int i = 0; i <= type; ++i) {
      trace.open(static_cast<double>(value), server, value,
                 {.type = "t" + std::to_string(type), .stack = i % 2 ? log : accept});
      ++value;
    }
  }
  trace.ends(1000);
  const HandlePivot top = pivot({.columns = *parse_columns("type,stack"), .top_rows = 3});
  // Four rows for the types; then two types have room to show their stacks.
  EXPECT_EQ(tree(top.root), "t19=20(serve=10 log=10) t18=19(serve=10 log=9) t17=18( +2=18) +17=153");
  EXPECT_EQ(top.groups, 39);
  EXPECT_EQ(top.root.counts.outstanding(), 210);
  const HandlePivot groups = pivot({.columns = *parse_columns("type,stack"), .top_groups = 3});
  EXPECT_EQ(tree(groups.root), "t19=20(serve=10 log=10) t18=19(serve=10 +1=9) +18=171");
}

TEST_F(HandlePivotTest, LooksUpOnlyTheStacksItShows) {
  trace.launch(0, server);
  for (int i = 0; i < 1000; ++i) {
    const StackId stack = trace.stack(fmt::format("open@server f{}@server", i));
    for (int n = 0; n <= (i == 500); ++n) trace.open(1, server, 3 + 2 * i + n, {.stack = stack});
  }
  trace.ends(10);
  size_t asked = 0;
  const SymbolLookup lookup = [&](std::span<const SymbolRequest> requests) {
    asked += requests.size();
    return testing::names_in(trace)(requests);
  };
  auto report = build_handle_pivot(trace, lookup, {.columns = {HandleColumn::stack}, .top_rows = 4});
  ASSERT_TRUE(report);
  EXPECT_EQ(report->groups, 1000);
  EXPECT_EQ(report->root.children[0].counts.outstanding(), 2);
  EXPECT_LE(asked, 5);  // "open", and one function for each of the four rows
}

TEST_F(HandlePivotTest, HandlesOfTooManyGroupsAreCountedAsALoss) {
  LifeGroups groups({HandleColumn::object}, 10);
  for (uint64_t object = 1; object <= 15; ++object) {
    HandleLife life;
    life.object = object;
    groups.on_life(life);
  }
  EXPECT_EQ(groups.size(), 10);
  EXPECT_EQ(groups.beyond_limit().still_open, 5);
}

TEST_F(HandlePivotTest, WithoutHandlesIsEmptyAndExact) {
  trace.launch(0, server).ends(10);
  const HandlePivot report = pivot("default");
  EXPECT_THAT(report.root.children, IsEmpty());
  EXPECT_EQ(report.root.counts, LifeCounts{});
  EXPECT_TRUE(report.basis.exact);
  EXPECT_EQ(report.basis.processes, 1);
}

TEST_F(HandlePivotTest, CarriesTheLossesOfTheRecording) {
  trace.launch(0, server).loss({.kind = LossKind::ring_full, .count = 12}).ends(10);
  const HandlePivot report = pivot("default");
  EXPECT_FALSE(report.basis.exact);
  ASSERT_THAT(report.basis.losses, SizeIs(1));
  EXPECT_EQ(report.basis.losses[0].count, 12);
}

}  // namespace
}  // namespace culprit
