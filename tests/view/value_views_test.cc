#include "view/value_views.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "report_samples.h"

namespace culprit {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using Json = nlohmann::json;

ReportHandle handle(double created, double closed, HowClosed how) {
  ReportHandle handle;
  handle.value = 7;
  handle.type = "socket";
  handle.name = "socket tcp";
  handle.creating = handle.owning = {"server", 100, 0};
  if (how == HowClosed::close) handle.closing = {"server", 100, 0};
  handle.created_tid = 101;
  handle.closed_tid = 100;
  handle.created_call = "accept4";
  handle.closed_call = how == HowClosed::close ? "close" : "";
  handle.created = created;
  handle.closed = closed;
  handle.how_closed = how;
  return handle;
}

ValueHistory sample() {
  ValueHistory history;
  history.value = 7;
  history.lives = {
      {handle(1, 2, HowClosed::close), samples::fun4_stack("/src/leaky.cpp"), samples::fun4_stack("/src/leaky.cpp")},
      {handle(5, 9, HowClosed::still_open), samples::fun4_stack("/src/leaky.cpp"), {}}};
  history.lives_in_all = 12;
  history.vain_closes = {{3, {"server", 100, 0}, 100, samples::fun4_stack("/src/leaky.cpp")}};
  history.vain_closes_in_all = 1;
  history.basis.duration = 9;
  return history;
}

TEST(ValueAsText, TellsTheLivesInOrderWithBothStacks) {
  const std::string text = value_as_text(sample(), {});
  EXPECT_THAT(
      text,
      HasSubstr(
          "culprit: handle 7 was opened 12 times and was closed 1 time while it was not\n         open, in 9.0 s\n"));
  EXPECT_THAT(text, HasSubstr("  … 10 earlier lives before these\n"));
  EXPECT_THAT(text, HasSubstr("\n  1.0 s: socket tcp, opened (accept4) by server (pid 100), thread 101\n"
                              "       in fun4()  src/leaky.cpp:4\n"));
  EXPECT_THAT(text, HasSubstr("  2.0 s: closed (close) by server (pid 100), after 1.0 s\n"));
  EXPECT_THAT(text, HasSubstr("  3.0 s: closed by server (pid 100), which was not open\n"));
  EXPECT_THAT(text, HasSubstr("  still open at 9.0 s, 4.0 s old\n"));
  EXPECT_LT(text.find("2.0 s: closed"), text.find("3.0 s: closed"));
  EXPECT_LT(text.find("3.0 s: closed"), text.find("5.0 s: socket tcp"));
}

TEST(ValueAsText, SaysHowEveryLifeCameAndWent) {
  ValueHistory history = sample();
  const auto words = [&](HowCreated created, HowClosed closed) {
    history.lives[0].handle.how_created = created;
    history.lives[0].handle.how_closed = closed;
    return value_as_text(history, {});
  };
  EXPECT_THAT(words(HowCreated::inherit, HowClosed::exec), HasSubstr("inherited by server (pid 100)"));
  EXPECT_THAT(words(HowCreated::existing, HowClosed::exec), HasSubstr("closed by exec, after 1.0 s"));
  EXPECT_THAT(words(HowCreated::existing, HowClosed::exit), HasSubstr("there before, in server (pid 100)"));
  EXPECT_THAT(words(HowCreated::receive, HowClosed::exit), HasSubstr("closed only by the end of the process"));
  EXPECT_THAT(words(HowCreated::unknown_origin, HowClosed::vanished), HasSubstr("gone by 2.0 s, nobody saw how"));
  EXPECT_THAT(words(HowCreated::duplicate, HowClosed::replaced), HasSubstr("duplicated (accept4) by server (pid 100)"));
}

TEST(ValueAsJson, HasTheSame) {
  const Json answer = Json::parse(value_as_json(sample(), "x.culprit"));
  EXPECT_EQ(answer["value"], 7);
  EXPECT_EQ(answer["target"], "x.culprit");
  EXPECT_EQ(answer["exact"], true);
  ASSERT_EQ(answer["handles"].size(), 2);
  EXPECT_EQ(answer["handles_left_out"], 10);
  EXPECT_EQ(answer["handles"][0]["closing_blamed"], 1);
  EXPECT_EQ(answer["handles"][1]["closed"], nullptr);
  EXPECT_EQ(answer["vain_closes"][0]["process"]["pid"], 100);
}

}  // namespace
}  // namespace culprit
