// Questions about handles, as the commands `handles` and `diff` ask them of a recording.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "base/syscall.h"
#include "shell/command.h"
#include "support/recorded.h"
#include "support/sample_events.h"

namespace culprit {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using testing::TraceBuilder;
using Json = nlohmann::json;

// A file that a command writes into, in place of a terminal.
class Written {
 public:
  Written() : file_(std::tmpfile()) {}
  ~Written() { std::fclose(file_); }
  int fd() const { return fileno(file_); }
  std::string text() const {
    std::string content(static_cast<size_t>(::lseek(fd(), 0, SEEK_END)), '\0');
    EXPECT_EQ(::pread(fd(), content.data(), content.size(), 0), static_cast<ssize_t>(content.size()));
    return content;
  }

 private:
  std::FILE* file_;
};

struct Said {
  int status = -1;
  std::string out, err;
};

class Questions : public ::testing::Test {
 protected:
  void SetUp() override {
    trace.launch(0, server).launch(0, worker).mark(5, "ready");
    for (int i = 0; i < 20; ++i) trace.open(10 + i, server, 10 + i, {.type = "socket", .stack = serve});
    trace.open(40, worker, 7, {.type = "file", .name = "/a", .stack = log}).close(41, worker, 7).mark(50, "loaded");
    trace.open(60, worker, 7, {.type = "file", .name = "/b", .stack = log}).exit(80, worker).ends(100);
    testing::record(trace, path);
  }

  Said ask(std::string_view command, Arguments arguments) {
    if (arguments.operands.empty()) arguments.operands = {path};
    Written out, err;
    const Ending ending = find_command(command)->run(arguments, {out.fd(), err.fd()});
    return {ending.status, out.text(), err.text()};
  }
  Said handles(std::map<std::string, std::string, std::less<>> options) {
    return ask("handles", {{}, std::move(options)});
  }
  Said diff(std::map<std::string, std::string, std::less<>> options) { return ask("diff", {{}, std::move(options)}); }
  Json json(Said said) {
    EXPECT_EQ(said.status, 0) << said.err;
    Json answer = Json::parse(said.out, nullptr, false);
    EXPECT_FALSE(answer.is_discarded()) << said.out;
    EXPECT_EQ(answer.value("schema", 0), 1);
    EXPECT_TRUE(answer.value("exact", false));
    EXPECT_TRUE(answer.contains("target") && answer.contains("losses"));
    return answer;
  }
  // Status 2, nothing on the output, one sentence.
  std::string refusal(const Said& said) {
    EXPECT_EQ(said.status, 2);
    EXPECT_EQ(said.out, "");
    EXPECT_EQ(std::count(said.err.begin(), said.err.end(), '\n'), 1) << said.err;
    return said.err;
  }

  TemporaryDirectory folder;
  std::string path = folder / "x.culprit";
  TraceBuilder trace;
  ProcessId server = trace.process(100, "server"), worker = trace.process(101, "worker");
  StackId serve = trace.stack("accept@/lib/libc.so.6 serve@server main@server");
  StackId log = trace.stack("open@/lib/libc.so.6 log@server main@server");
};

TEST_F(Questions, GroupsComeInEveryForm) {
  EXPECT_THAT(handles({{"--by", "type"}}).out, HasSubstr("     20  95.2%  socket\n"));
  const Json answer = json(handles({{"--by", "owning,type"}, {"--json", ""}}));
  EXPECT_EQ(answer["by"], Json({"owning", "type"}));
  EXPECT_EQ(answer["groups"][0]["count"], 20);
  EXPECT_EQ(answer["groups"][0]["owning"]["pid"], 100);
  EXPECT_THAT(handles({{"--by", "type"}, {"--csv", ""}}).out, StartsWith("type,count,still_open,at_exit,"));
}

TEST_F(Questions, AFilterAloneAsksForGroups) {
  EXPECT_THAT(handles({{"--process", "worker"}}).out, HasSubstr("culprit: 1 handle outstanding"));
  EXPECT_THAT(handles({{"--type", "file,pipe"}}).out, HasSubstr("hidden by exit › worker (pid 101) › file"));
  EXPECT_EQ(json(handles({{"--from", "loaded"}, {"--json", ""}}))["totals"]["outstanding"], 1);
  EXPECT_EQ(json(handles({{"--to", "15ms"}, {"--json", ""}}))["totals"]["outstanding"], 6);
  EXPECT_EQ(json(handles({{"--min-age", "85ms"}, {"--json", ""}}))["totals"]["outstanding"], 6);
  EXPECT_EQ(json(handles({{"--not-stack", "server"}, {"--json", ""}}))["totals"]["outstanding"], 0);
  EXPECT_EQ(json(handles({{"--stack", "libc"}, {"--all", ""}, {"--json", ""}}))["totals"]["created"], 22);
  EXPECT_EQ(json(handles({{"--by", "default"}, {"--depth", "1"}, {"--json", ""}}))["groups"].size(), 2);
}

TEST_F(Questions, SeveralProcessTreesAreShownAsGroupsToPeople) {
  EXPECT_THAT(handles({}).out, HasSubstr("closing › owning › type › creating › stack"));
  EXPECT_TRUE(json(handles({{"--json", ""}})).contains("types"));  // the report
  EXPECT_THAT(handles({{"--no-source", ""}}).out, Not(HasSubstr("closing › owning")));
}

TEST_F(Questions, OverTimeComesInEveryForm) {
  EXPECT_THAT(handles({{"--over-time", ""}, {"--by", "process"}}).out, HasSubstr("  server (pid 100)"));
  const Json answer = json(handles({{"--over-time", ""}, {"--by", "type"}, {"--json", ""}}));
  EXPECT_EQ(answer["lines"].size(), 2);
  EXPECT_EQ(answer["all"]["peak"], 21);
  EXPECT_EQ(answer["marks"].size(), 2);
  EXPECT_THAT(handles({{"--over-time", ""}, {"--csv", ""}}).out, StartsWith("seconds,open,most,created,closed\n"));
}

TEST_F(Questions, AValueHasItsHistory) {
  EXPECT_THAT(handles({{"--value", "7"}}).out, HasSubstr("culprit: handle 7 was opened 2 times"));
  EXPECT_EQ(json(handles({{"--value", "0x7"}, {"--process", "worker"}, {"--json", ""}}))["handles"].size(), 2);
  EXPECT_EQ(json(handles({{"--value", "7"}, {"--process", "server"}, {"--json", ""}}))["handles"].size(), 0);
}

TEST_F(Questions, MomentsAreMarksOrTimes) {
  const Json marks = json(diff({{"--from", "ready"}, {"--to", "loaded"}, {"--json", ""}}));
  EXPECT_EQ(marks["opened"]["count"], 20);
  EXPECT_EQ(marks["between"]["closed"], 1);
  const Json times = json(diff({{"--from", "5ms"}, {"--to", "50ms"}, {"--json", ""}}));
  EXPECT_EQ(times["opened"], marks["opened"]);
  EXPECT_THAT(diff({{"--from", "ready"}}).out, HasSubstr("21 handles opened since ready and not closed"));
  // Without a first moment: since the newest mark.
  EXPECT_THAT(diff({}).out, HasSubstr("1 handle opened since loaded and not closed"));
  EXPECT_THAT(diff({{"--to", "loaded"}}).out, HasSubstr("20 handles opened since ready and not closed up to loaded"));
}

TEST_F(Questions, TwoRecordingsAreCompared) {
  TraceBuilder other;
  ProcessId process = other.process(9, "server");
  other.launch(0, process);
  const StackId stack = other.stack("accept@/lib/libc.so.6 serve@server main@server");
  for (int i = 0; i < 5; ++i) other.open(i, process, 3 + i, {.type = "socket", .stack = stack});
  other.ends(50);
  testing::record(other, folder / "y.culprit");
  const Arguments both{{folder / "y.culprit", path}, {}};
  Arguments as_json = both, as_csv = both, windows = both;
  EXPECT_THAT(ask("diff", both).out, HasSubstr("16 more handles outstanding than before"));
  as_json.options = {{"--json", ""}};
  EXPECT_EQ(json(ask("diff", as_json))["before"]["count"], 5);
  as_csv.options = {{"--csv", ""}, {"--all", ""}};
  EXPECT_THAT(ask("diff", as_csv).out, StartsWith("change,type,count_before"));
  windows.options = {{"--to", "12ms"}, {"--json", ""}};
  EXPECT_EQ(json(ask("diff", windows))["after"]["count"], 3);
}

TEST_F(Questions, AnswersGoWhereReportsGo) {
  const std::string file = folder / "report";
  const Said said = handles({{"--by", "type"}, {"--csv", ""}, {"--report", file}});
  EXPECT_EQ(said.out, "");
  EXPECT_THAT(*read_whole_file(file, 1 << 20), StartsWith("type,count"));
}

TEST_F(Questions, WhatDoesNotGoTogetherIsRefusedInOneSentence) {
  EXPECT_THAT(refusal(handles({{"--by", "colour"}})), HasSubstr("handles cannot be grouped by 'colour'"));
  EXPECT_EQ(refusal(handles({{"--by", "type"}, {"--fail-on-leak", ""}})),
            "culprit: --fail-on-leak does not go with --by\n");
  EXPECT_EQ(refusal(handles({{"--process", "x"}, {"--after", "1s"}})), "culprit: --after does not go with --process\n");
  EXPECT_EQ(refusal(handles({{"--value", "7"}, {"--by", "type"}})), "culprit: --by does not go with --value\n");
  EXPECT_EQ(refusal(handles({{"--value", "7"}, {"--csv", ""}})), "culprit: --csv does not go with --value\n");
  EXPECT_EQ(refusal(handles({{"--over-time", ""}, {"--value", "7"}})),
            "culprit: --over-time does not go with --value\n");
  EXPECT_EQ(refusal(handles({{"--outstanding", ""}, {"--all", ""}})),
            "culprit: --outstanding does not go with --all\n");
  EXPECT_EQ(refusal(handles({{"--by", "type"}, {"--json", ""}, {"--csv", ""}})),
            "culprit: --json does not go with --csv\n");
  EXPECT_THAT(refusal(handles({{"--over-time", ""}, {"--by", "type,stack"}})), HasSubstr("lines by one thing"));
  EXPECT_THAT(refusal(handles({{"--value", "seven"}})), HasSubstr("a handle's number"));
  EXPECT_THAT(refusal(handles({{"--value", "-1"}})), HasSubstr("a handle's number"));
  EXPECT_THAT(refusal(handles({{"--stack", "a("}})), HasSubstr("--stack: 'a(' is no regular expression"));
  EXPECT_THAT(refusal(diff({{"--csv", ""}})), HasSubstr("--csv wants two recordings"));
}

TEST_F(Questions, AMomentThatIsNotThereIsRefusedWithTheMarksThereAre) {
  EXPECT_THAT(
      refusal(diff({{"--from", "reddy"}})),
      HasSubstr("'reddy' is no time (such as 10s, 500ms) and no mark: its marks are ready at 5 ms, loaded at 50 ms"));
  EXPECT_THAT(refusal(diff({{"--from", "loaded"}, {"--to", "ready"}})), HasSubstr("loaded is later than ready"));
  EXPECT_THAT(refusal(diff({{"--to", "1ms"}})), HasSubstr("there is no mark to compare with"));
}

}  // namespace
}  // namespace culprit
