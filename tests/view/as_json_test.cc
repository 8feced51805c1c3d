#include "view/as_json.h"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "report_samples.h"
#include "view/json.h"
#include "view/machine_report.h"

namespace culprit {
namespace {

using Parsed = nlohmann::json;

TEST(AsJson, HasWhatEveryAnswerHas) {
  HandleReport report = samples::demo("/src/a.cc");
  Parsed json = Parsed::parse(as_json(report, "x.culprit"));
  EXPECT_EQ(json["schema"], 1);
  EXPECT_EQ(json["target"], "x.culprit");
  EXPECT_EQ(json["exact"], true);
  EXPECT_EQ(json["losses"], Parsed::array());
  report.exact = false;
  report.losses = {{LossKind::ring_full, 7, {"thread 3"}}};
  json = Parsed::parse(as_json(report, "x.culprit"));
  EXPECT_EQ(json["exact"], false);
  EXPECT_EQ(json["losses"][0]["kind"], "ring_full");
  EXPECT_EQ(json["losses"][0]["count"], 7);
  EXPECT_EQ(json["losses"][0]["meaning"], meaning_of(LossKind::ring_full).meaning);
}

TEST(AsJson, TellsAGroupWithItsStack) {
  Parsed group = Parsed::parse(as_json(samples::demo("/src/a.cc"), ""))["groups"][0];
  EXPECT_EQ(group["count"], 1000);
  EXPECT_EQ(group["type"], "eventfd");
  EXPECT_EQ(group["how_created"], "open");
  EXPECT_EQ(group["how_closed"], "still_open");
  EXPECT_EQ(group["verdict"], "grows");
  EXPECT_EQ(group["owning"][0]["pid"], 4711);
  EXPECT_EQ(group["blamed"], 1);
  Parsed frame = group["stack"][1];
  EXPECT_EQ(frame["function"], "fun4()");
  EXPECT_EQ(frame["file"], "/src/a.cc");
  EXPECT_EQ(frame["line"], 4);
  EXPECT_EQ(frame["module"], "/opt/app/leaky");
  EXPECT_EQ(frame["offset"], 0x1234);
  EXPECT_EQ(frame["found_by"], "unwind_table");
  EXPECT_EQ(frame["inlined"], false);
}

TEST(AsJson, ListsHandlesOneByOneWhenAskedFor) {
  HandleReport report = samples::demo("/src/a.cc");
  EXPECT_FALSE(Parsed::parse(as_json(report, "")).contains("handles"));
  ReportHandle handle;
  handle.value = 17;
  handle.type = "file";
  handle.name = "/tmp/x";
  handle.owning = {"leaky", 4711, 0};
  handle.created = 1.5;
  report.handles = {handle};
  report.handles_left_out = 3;
  Parsed json = Parsed::parse(as_json(report, ""));
  EXPECT_EQ(json["handles"][0]["value"], 17);
  EXPECT_EQ(json["handles"][0]["created"], 1.5);
  EXPECT_EQ(json["handles"][0]["closed"], nullptr);
  EXPECT_EQ(json["handles"][0]["closing"], nullptr);
  EXPECT_EQ(json["handles_left_out"], 3);
}

TEST(AsJson, IsValidWhateverTheNamesAre) {
  std::string foreign = std::string("a\0b", 3) + "\"\\\n\x1b\xff\xc0\x80\xed\xa0\x80\xf5 ü";
  HandleGroup group = samples::leak(foreign, 2, {{samples::frame(foreign, foreign, 1, foreign)}, false, {}});
  group.rate = std::nan("");
  group.examples = {{1, foreign, foreign, 2, INFINITY, 0}};
  HandleReport report = samples::with_groups({group});
  report.command = report.machine = foreign;
  report.unknown = {{3, foreign, foreign, foreign, 1, 0, HowClosed::exit}};
  Parsed json = Parsed::parse(as_json(report, foreign));
  EXPECT_EQ(json["groups"][0]["rate"], nullptr);
  EXPECT_EQ(json["groups"][0]["blamed"], nullptr);
  std::string name = json["groups"][0]["stack"][0]["function"];
  EXPECT_TRUE(name.starts_with(std::string("a\0b\"\\\n\x1b", 7))) << "the true name, not a printable one";
  EXPECT_TRUE(name.ends_with(" ü"));
}

TEST(Utf8, ReplacesWhatIsNotUtf8AndNothingElse) {
  const std::string replaced = "\xef\xbf\xbd";
  EXPECT_EQ(utf8("plain ü € \xf0\x9f\x98\x80"), "plain ü € \xf0\x9f\x98\x80");
  EXPECT_EQ(utf8("\xff"), replaced);
  EXPECT_EQ(utf8("\xc0\xaf"), replaced + replaced) << "overlong";
  EXPECT_EQ(utf8("\xe2\x82"), replaced + replaced) << "cut short";
  EXPECT_EQ(utf8("\xed\xa0\x80"), replaced + replaced + replaced) << "a surrogate";
  EXPECT_EQ(utf8("\xf4\x90\x80\x80x"), replaced + replaced + replaced + replaced + "x") << "beyond U+10FFFF";
}

TEST(MachineReport, SaysTheRemedyBesideWhatDoesNotWork) {
  MachineReport report{
      "Linux 6.1",
      "0.1.0",
      {{"agent", "what run uses", {{"clock", false, "it is\x1b slow", "use tsc"}, {"libc", true, "glibc", ""}}}}};
  EXPECT_EQ(
      machine_as_text(report, {}),
      "culprit 0.1.0 on Linux 6.1\n\nagent: what run uses\n  no    clock  it is\\x1b slow\n               do: use tsc\n"
      "  works libc   glibc\n");
  Parsed json = Parsed::parse(machine_as_json(report));
  EXPECT_EQ(json["schema"], 1);
  EXPECT_EQ(json["checks"][0]["works"], false);
  EXPECT_EQ(json["checks"][0]["remedy"], "use tsc");
  EXPECT_EQ(json["checks"][1]["area"], "agent");
}

}  // namespace
}  // namespace culprit
