// `culprit watch` on real processes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/run_culprit.h"

namespace culprit::test {
namespace {

using ::testing::HasSubstr;

TEST(Watch, TellsCountsByTypeAsLinesOfJson) {
  Running victim({"/bin/bash", "-c", "exec 8</dev/null 9</etc/passwd; sleep 1000; true"});
  usleep(300'000);
  Ran ran =
      run({culprit_path(), "watch", std::to_string(victim.pid()), "--count", "2", "--interval", "100ms", "--json"});
  ASSERT_EQ(ran.ending(), "exit 0") << ran.err;
  Json look = Json::parse(ran.out.substr(0, ran.out.find('\n')));
  const Json& process = look.at("processes").at(0);
  EXPECT_EQ(process.at("name"), "bash");
  EXPECT_EQ(process.at("open"), 5);
  EXPECT_EQ(process.at("types").at("device"), 1);
  EXPECT_GT(look.at("machine").at("open_files"), 0);
}

TEST(Watch, FailsAScriptWhenThereAreTooMany) {
  Running victim({"/bin/sleep", "1000"});
  std::string pid = std::to_string(victim.pid());
  EXPECT_EQ(run({culprit_path(), "watch", pid, "--count", "1", "--fail-above", "2"}).ending(), "exit 1");
  EXPECT_EQ(run({culprit_path(), "watch", pid, "--count", "1", "--fail-above", "200"}).ending(), "exit 0");
}

TEST(Watch, OfTheMachineNamesThoseWithTheMost) {
  Ran ran = run({culprit_path(), "watch", "--all", "--count", "1"});
  EXPECT_EQ(ran.ending(), "exit 0") << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("machine: "));
}

TEST(Watch, SaysWhatIsWrongInASentence) {
  EXPECT_THAT(run({culprit_path(), "watch"}).err, HasSubstr("takes a process, or --all"));
  EXPECT_THAT(run({culprit_path(), "watch", "999999999", "--count", "1"}).err, HasSubstr("999999999"));
  EXPECT_THAT(run({culprit_path(), "watch", "--all", "--prometheus", "0.0.0.0:9100"}).err, HasSubstr("loopback"));
}

TEST(Watch, ServesPrometheusOnLoopback) {
  if (tool("curl").empty()) GTEST_SKIP() << "curl is not installed";
  Running victim({"/bin/sleep", "1000"});
  std::string port = std::to_string(20'000 + getpid() % 20'000);
  Running watch({culprit_path(), "watch", std::to_string(victim.pid()), "--prometheus", port, "--count", "1000"});
  Ran page;
  for (int i = 0; i < 100 && page.out.empty(); i++) {
    usleep(100'000);
    page = run({tool("curl"), "-s", "http://127.0.0.1:" + port + "/metrics"});
  }
  EXPECT_THAT(page.out, HasSubstr("culprit_handles{pid=\"" + std::to_string(victim.pid()) + "\",name=\"sleep\"} 3"));
}

}  // namespace
}  // namespace culprit::test
