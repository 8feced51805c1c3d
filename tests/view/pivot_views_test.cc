#include "view/pivot_views.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "base/text.h"
#include "report_samples.h"

namespace culprit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using Json = nlohmann::json;

ColumnValue process(HandleColumn column, std::string name, uint64_t pid) {
  return {.column = column, .text = std::move(name), .number = pid};
}
ColumnValue state(HandleColumn column, ColumnState state) { return {.column = column, .state = state}; }
ColumnValue text(HandleColumn column, std::string words) { return {.column = column, .text = std::move(words)}; }
ColumnValue stack(ReportStack frames) { return {.column = HandleColumn::stack, .stack = std::move(frames)}; }

PivotNode node(ColumnValue value, std::vector<PivotNode> children) {
  PivotNode out;
  out.value = std::move(value);
  for (const PivotNode& child : children) out.counts += child.counts;
  out.children = std::move(children);
  return out;
}
PivotNode leaf(ColumnValue value, LifeCounts counts) {
  PivotNode out;
  out.value = std::move(value);
  out.counts = counts;
  out.first_created = 0.5;
  out.last_created = 1.5;
  out.example = {7, "/tmp/x", "leaky", 4711, 0.5, 9.5};
  return out;
}

HandlePivot sample() {
  HandlePivot pivot;
  pivot.columns = *parse_columns("closing,owning,type,creating,stack");
  const auto mine = process(HandleColumn::creating, "leaky", 4711);
  pivot.root = node(
      {}, {node(state(HandleColumn::closing, ColumnState::still_open),
                {node(process(HandleColumn::owning, "leaky", 4711),
                      {node(text(HandleColumn::type, "eventfd"),
                            {node(mine, {leaf(stack(samples::fun4_stack("/src/leaky.cpp")), {.still_open = 1000})})}),
                       node(text(HandleColumn::type, "file"),
                            {node(state(HandleColumn::creating, ColumnState::unknown_origin),
                                  {leaf(state(HandleColumn::stack, ColumnState::unknown), {.still_open = 5})})})})})});
  pivot.groups = 2;
  pivot.basis.duration = 10;
  pivot.basis.to = 10;
  pivot.basis.processes = 1;
  return pivot;
}

TEST(PivotAsText, IsATreeInWhichAnOnlyChildStandsOnItsParentsLine) {
  EXPECT_EQ(pivot_as_text(sample(), {}),
            R"(culprit: 1,005 handles outstanding, made in 10 s by 1 process

  count      %  closing › owning › type › creating › stack
  1,005 100.0%  still open › leaky (pid 4711)
  1,000  99.5%    eventfd › made by itself
                    fun4 (leaky.cpp:4) ← fun2 ← main
      5   0.5%    file › of unknown origin › no stack was taken

  exact: nothing that could change this was lost
)");
}

TEST(PivotAsText, SaysWhatIsFolded) {
  HandlePivot pivot = sample();
  PivotNode& owner = pivot.root.children[0].children[0];
  owner.folded = 37;
  owner.folded_counts = {.still_open = 700, .at_exit = 112};
  pivot.root.counts += owner.folded_counts;
  const std::string folded = pivot_as_text(pivot, {});
  EXPECT_THAT(folded, HasSubstr("    812  44.7%    … 37 more\n"));
  EXPECT_THAT(folded, HasSubstr("112 of them hidden by exit"));
  // Nothing of the node is shown: no line of its own for that.
  owner.children.clear();
  EXPECT_THAT(pivot_as_text(pivot, {}), HasSubstr("leaky (pid 4711) …\n"));
}

TEST(PivotAsText, FitsTheColumnsAndNeedsNoUnicode) {
  HandlePivot pivot = sample();
  pivot.root.children[0].children[0].value.text = std::string(300, 'n');
  for (size_t columns : {50, 60, 80, 120}) {
    std::istringstream lines(pivot_as_text(pivot, {.columns = columns}));
    for (std::string line; std::getline(lines, line);) EXPECT_LE(display_width(line), columns) << line;
  }
  EXPECT_THAT(pivot_as_text(pivot, {.unicode = false}), HasSubstr("fun4 (leaky.cpp:4) <- fun2 <- main"));
  EXPECT_THAT(pivot_as_text(pivot, {.unicode = false}), Not(HasSubstr("›")));
}

TEST(PivotAsText, StacksThatLookAlikeGetASecondLine) {
  const auto deep = [](const std::string& outermost) {
    ReportStack stack;
    for (const char* name : {"open_it", "a_caller_with_a_long_name", "another_caller_with_a_long_name"})
      stack.frames.push_back(samples::frame(name, "/src/x.cc", 1));
    stack.frames.push_back(samples::frame(outermost, "/src/x.cc", 2));
    stack.blamed = 0;
    return stack;
  };
  HandlePivot pivot;
  pivot.columns = {HandleColumn::stack};
  pivot.root =
      node({}, {leaf(stack(deep("first_way")), {.still_open = 2}), leaf(stack(deep("second_way")), {.still_open = 1})});
  const std::string text = pivot_as_text(pivot, {});
  EXPECT_THAT(text, HasSubstr("first_way"));
  EXPECT_THAT(text, HasSubstr("second_way"));
}

TEST(PivotAsText, ShowsMadeAndClosedWhenAllWereAskedFor) {
  HandlePivot pivot;
  pivot.columns = {HandleColumn::type};
  pivot.lives = Lives::all;
  pivot.root = node({}, {leaf(text(HandleColumn::type, "pipe"), {.still_open = 1, .closed = 9}),
                         leaf(text(HandleColumn::type, "file"), {.closed = 4})});
  pivot.existing = 3;
  const std::string shown = pivot_as_text(pivot, {});
  EXPECT_THAT(shown, HasSubstr("14 handles: 1 outstanding, 13 closed; made"));
  EXPECT_THAT(shown, HasSubstr("  count      %   made  closed  type\n"));
  EXPECT_THAT(shown, HasSubstr("      1 100.0%     10      9  pipe\n"));
  EXPECT_THAT(shown, HasSubstr("      0   0.0%      4      4  file\n"));
}

TEST(PivotAsText, TellsWhatIsNotCountedAndWhatWasAskedFor) {
  HandlePivot pivot;
  pivot.columns = {HandleColumn::type};
  pivot.existing = 12;
  pivot.basis.filter.processes = {"server"};
  pivot.basis.filter.stack = *Pattern::compile("curl");
  pivot.basis.filter.min_age = 2'000'000'000;
  const std::string shown = pivot_as_text(pivot, {.columns = 200});
  EXPECT_THAT(shown, HasSubstr(", process server, stack with 'curl', open for at least 2.0 s\n"));
  EXPECT_THAT(shown, HasSubstr("not counted: 12 there before the recording or copies of such (--all counts them)"));
}

TEST(PivotAsText, LetsNoForeignNameHarmATerminal) {
  HandlePivot pivot = sample();
  pivot.root.children[0].children[0].value.text = "\x1b]0;owned\x07";
  pivot.root.children[0].children[0].children[0].value.text = "\xe2\x80\xaetype";
  for (const std::string& shown : {pivot_as_text(pivot, {}), pivot_as_csv(pivot)}) {
    EXPECT_EQ(shown.find('\x1b'), std::string::npos);
    EXPECT_THAT(shown, Not(HasSubstr("\xe2\x80\xae")));
  }
  EXPECT_FALSE(Json::parse(pivot_as_json(pivot, "x"), nullptr, false).is_discarded());
}

TEST(PivotAsJson, HasAGroupForEachEndOfTheTree) {
  HandlePivot pivot = sample();
  pivot.basis.losses = {{LossKind::ring_full, 3, {}}};
  pivot.basis.exact = false;
  const Json answer = Json::parse(pivot_as_json(pivot, "x.culprit"));
  EXPECT_EQ(answer["schema"], 1);
  EXPECT_EQ(answer["target"], "x.culprit");
  EXPECT_EQ(answer["exact"], false);
  EXPECT_EQ(answer["losses"][0]["kind"], "ring_full");
  EXPECT_EQ(answer["by"], Json({"closing", "owning", "type", "creating", "stack"}));
  ASSERT_EQ(answer["groups"].size(), 2);
  const Json& group = answer["groups"][0];
  EXPECT_EQ(group["count"], 1000);
  EXPECT_EQ(group["closing"], Json({{"state", "still_open"}}));
  EXPECT_EQ(group["owning"], Json({{"name", "leaky"}, {"pid", 4711}}));
  EXPECT_EQ(group["creating"], Json({{"state", "made"}, {"name", "leaky"}, {"pid", 4711}}));
  EXPECT_EQ(group["type"], "eventfd");
  EXPECT_EQ(group["stack"][1]["function"], "fun4()");
  EXPECT_EQ(group["blamed"], 1);
  EXPECT_EQ(group["example"]["value"], 7);
  EXPECT_EQ(answer["groups"][1]["creating"], Json({{"state", "unknown_origin"}}));
  EXPECT_EQ(answer["totals"]["outstanding"], 1005);
  EXPECT_EQ(answer["totals"]["groups_hidden"], 0);
}

TEST(PivotAsCsv, HasOneRowForEachGroup) {
  std::istringstream lines(pivot_as_csv(sample()));
  std::vector<std::string> rows;
  for (std::string line; std::getline(lines, line);) rows.push_back(line);
  EXPECT_THAT(
      rows,
      ElementsAre("closing,closing_pid,owning,owning_pid,type,creating,creating_pid,stack,count,still_open,at_exit,"
                  "created,closed,first_created,last_created",
                  "still_open,,leaky,4711,eventfd,leaky,4711,eventfd; fun4(); fun2(); main; "
                  "__libc_start_call_main; _start,1000,1000,0,1000,0,0.5,1.5",
                  "still_open,,leaky,4711,file,unknown_origin,,,5,5,0,5,0,0.5,1.5"));
}

TEST(ValueWords, SayEveryColumn) {
  EXPECT_EQ(value_words(process(HandleColumn::closing, "sh", 3), 80, true), "closed by sh (pid 3)");
  EXPECT_EQ(value_words(state(HandleColumn::closing, ColumnState::hidden_by_exit), 80, true), "hidden by exit");
  EXPECT_EQ(value_words(process(HandleColumn::thread, "io", 12), 80, true), "thread io (12)");
  EXPECT_EQ(value_words({.column = HandleColumn::object, .text = "/a", .number = 9, .inode = 77}, 80, true),
            "object 9 (inode 77) /a");
  EXPECT_EQ(
      value_words({.column = HandleColumn::how, .how_created = HowCreated::inherit, .how_closed = HowClosed::exec}, 80,
                  true),
      "inherit, exec");
  EXPECT_EQ(value_words(text(HandleColumn::function, "app::open(char const*) const"), 80, true), "app::open");
  EXPECT_EQ(value_words(state(HandleColumn::function, ColumnState::unknown), 80, true), "nobody to blame");
  EXPECT_EQ(value_words(state(HandleColumn::name, ColumnState::unknown), 80, true), "without a name");
}

}  // namespace
}  // namespace culprit
