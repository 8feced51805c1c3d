#include "view/diff_views.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "report_samples.h"

namespace culprit {
namespace {

using ::testing::HasSubstr;
using Json = nlohmann::json;

HandleDiff sample_moments() {
  HandleDiff diff;
  diff.opened = {
      {"eventfd", 300, 0, 1.0, 4.0, {12, "", "leaky", 4711, 1.0, 3.0}, samples::fun4_stack("/src/leaky.cpp")}};
  diff.opened_groups = 3;
  diff.made = 602;
  diff.still_open = 302;
  diff.closed = 300;
  diff.older = 10;
  diff.older_kept = 8;
  diff.older_by[static_cast<size_t>(HowClosed::close)] = 1;
  diff.older_by[static_cast<size_t>(HowClosed::exec)] = 1;
  diff.changed = {{"socket",
                   1,
                   HowClosed::close,
                   {5, "socket tcp", "leaky", 4711, 0.1, 1.5},
                   samples::fun4_stack("/src/leaky.cpp")},
                  {"file", 1, HowClosed::exec, {6, "/a", "leaky", 4711, 0.1, 1.5}, {}}};
  diff.changed_groups = 2;
  diff.basis.from = 1;
  diff.basis.to = 4;
  diff.basis.filter.from = 1;
  return diff;
}

RecordingDiff sample_recordings() {
  RecordingDiff diff;
  diff.rows = {{StackChange::grew, "eventfd", {100, 200}, {1100, 2200}, samples::fun4_stack("/src/leaky.cpp")},
               {StackChange::went, "file", {5, 5}, {0, 0}, {}}};
  diff.rows_by[static_cast<size_t>(StackChange::grew)] = 1;
  diff.rows_by[static_cast<size_t>(StackChange::went)] = 1;
  diff.rows_hidden = 2;
  diff.total_before = {105, 205};
  diff.total_after = {1100, 2200};
  diff.before.duration = 10;
  diff.after.duration = 20;
  diff.before.processes = diff.after.processes = 1;
  diff.modules_by_name = {"/opt/app/leaky"};
  return diff;
}

TEST(HandleDiffAsText, SaysWhatCameWhatWentAndWhatBecameOfTheOld) {
  EXPECT_EQ(handle_diff_as_text(sample_moments(), {"ready", "after load"}, {}),
            R"(culprit: 302 handles opened since ready and not closed up to after load

        300 × eventfd      fun4 (leaky.cpp:4) ← fun2 ← main
              for example 12 in leaky (pid 4711), made at 1.0 s; the last one at
              4.0 s
          … 2 more groups (--top N)

  602 handles made from 1.0 s to 4.0 s, 300 of them closed again
  10 older handles: 8 still open, 1 closed, 1 closed by exec:
          1 × socket       closed in fun4 (leaky.cpp:4) ← fun2 ← main
              for example 5 socket tcp in leaky (pid 4711)
          1 × file         closed by exec
              for example 6 /a in leaky (pid 4711)
  exact: nothing that could change this was lost
)");
}

TEST(HandleDiffAsJson, HasTheSameNumbers) {
  const Json answer = Json::parse(handle_diff_as_json(sample_moments(), {"ready", ""}, "x.culprit"));
  EXPECT_EQ(answer["target"], "x.culprit");
  EXPECT_EQ(answer["exact"], true);
  EXPECT_EQ(answer["moments"], Json({{"from", "ready"}, {"to", ""}}));
  EXPECT_EQ(answer["opened"]["count"], 302);
  EXPECT_EQ(answer["opened"]["groups"][0]["count"], 300);
  EXPECT_EQ(answer["opened"]["groups"][0]["blamed"], 1);
  EXPECT_EQ(answer["opened"]["groups_hidden"], 2);
  EXPECT_EQ(answer["between"], Json({{"created", 602}, {"closed", 300}, {"inherited", 0}}));
  EXPECT_EQ(answer["older"]["closed_by"], Json({{"close", 1}, {"exec", 1}}));
  EXPECT_EQ(answer["older"]["groups"][1]["how_closed"], "exec");
}

TEST(RecordingDiffAsText, ShowsWhatGrewAndWhatWent) {
  EXPECT_EQ(recording_diff_as_text(sample_recordings(), "monday", "tuesday", {}),
            R"(culprit: 995 more handles outstanding than before; by type and stack: 0 new, 1
         grew, 0 shrank, 1 went, 0 the same

     +1,000  grew   eventfd    fun4 (leaky.cpp:4) ← fun2 ← main
                               100 → 1,100 outstanding of 200 → 2,200 made
         -5  went   file       no stack was taken
                               5 → 0 outstanding of 5 → 0 made
  … 2 more stacks that changed less (--top N)

  before, monday: 105 outstanding of 205 made in 10 s by 1 process
  after, tuesday: 1,100 outstanding of 2,200 made in 20 s by 1 process
  different builds, whose frames were compared by function names: /opt/app/leaky
  exact: nothing that could change this was lost
)");
}

TEST(RecordingDiffAsJson, HasTheSameNumbers) {
  RecordingDiff diff = sample_recordings();
  diff.losses = {{LossKind::ring_full, 1, {}}};
  const Json answer = Json::parse(recording_diff_as_json(diff, "monday", "tuesday"));
  EXPECT_EQ(answer["target"], "tuesday");
  EXPECT_EQ(answer["exact"], false);
  EXPECT_EQ(answer["before"]["target"], "monday");
  EXPECT_EQ(answer["after"]["count"], 1100);
  EXPECT_EQ(answer["changes"]["grew"], 1);
  EXPECT_EQ(answer["groups"][0]["growth"], 1000);
  EXPECT_EQ(answer["groups"][1]["growth"], -5);
  EXPECT_EQ(answer["groups_hidden"], 2);
}

TEST(RecordingDiffAsCsv, HasARowForEachStack) {
  EXPECT_EQ(recording_diff_as_csv(sample_recordings()),
            "change,type,count_before,count_after,created_before,created_after,stack\n"
            "grew,eventfd,100,1100,200,2200,eventfd; fun4(); fun2(); main; __libc_start_call_main; _start\n"
            "went,file,5,0,5,0,\n");
}

}  // namespace
}  // namespace culprit
