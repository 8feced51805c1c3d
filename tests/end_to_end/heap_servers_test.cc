// Servers people use, unchanged under `culprit run --heap`, with not an event lost.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>

#include "support/nginx_config.h"
#include "support/run_culprit.h"

namespace culprit::test {
namespace {

class HeapOfAServer : public ::testing::Test {
 protected:
  Words under_heap(const Words& command) {
    Words words = {culprit_path(), "run", "--heap", "--json", "--report", folder_ / "report.json", "--"};
    words.insert(words.end(), command.begin(), command.end());
    return words;
  }

  // What was made and not released is left, or went with the program of a process that started another one.
  void expect_exact_report(uint64_t least_made) {
    const Json report = Json::parse(contents(folder_ / "report.json"), nullptr, false);
    ASSERT_FALSE(report.is_discarded());
    EXPECT_TRUE(report.at("exact").get<bool>()) << report.at("losses").dump(1);
    const Json& totals = report.at("totals");
    const uint64_t made = totals.at("made").at("count"), released = totals.at("released");
    EXPECT_GE(made, least_made);
    uint64_t left = totals.at("outstanding").at("count");
    for (const Json& process : report.at("processes")) left += process.at("gone_with_exec").at("count").get<uint64_t>();
    EXPECT_EQ(made - released, left);
    processes_ = report.at("processes").size();
  }

  TemporaryFolder folder_;
  size_t processes_ = 0;
};

// Until none of these processes is a child of `parent` any more, and it has others.
bool wait_for_others(pid_t parent, const std::vector<pid_t>& old) {
  auto is_old = [&](pid_t pid) { return std::ranges::find(old, pid) != old.end(); };
  for (int look = 0; look < 60'000; ++look, ::usleep(1'000)) {
    const std::vector<pid_t> now = children_of(parent);
    if (now.size() == old.size() && std::ranges::none_of(now, is_old)) return true;
  }
  return false;
}

TEST_F(HeapOfAServer, NginxServesReloadsAndStops) {
  const std::string nginx = tool("nginx");
  if (nginx.empty() || tool("curl").empty()) GTEST_SKIP() << "nginx or curl is not installed";
  ASSERT_NO_FATAL_FAILURE(make_nginx_folder(folder_));
  Running server(under_heap({nginx, "-p", folder_.path(), "-c", folder_ / "nginx.conf"}));
  ASSERT_TRUE(wait_for_file(folder_ / "pid")) << contents(folder_ / "error.log");
  EXPECT_EQ(ask_nginx(folder_, 50), nginx_answers(50));
  const pid_t master = std::stoi(contents(folder_ / "pid"));
  const std::vector<pid_t> workers = children_of(master);
  ASSERT_EQ(workers.size(), 2u);
  ::kill(master, SIGHUP);
  ASSERT_TRUE(wait_for_others(master, workers)) << contents(folder_ / "error.log");
  EXPECT_EQ(ask_nginx(folder_, 50), nginx_answers(50));
  ::kill(master, SIGQUIT);  // the graceful end
  Ran ran = server.wait();
  EXPECT_EQ(ran.ending(), "exit 0") << ran.err;
  EXPECT_EQ(contents(folder_ / "error.log"), "");
  expect_exact_report(800);
  EXPECT_EQ(processes_, 5u) << "the master and four workers";
}

// Its allocator is jemalloc.
TEST_F(HeapOfAServer, RedisAnswersSavesAndStops) {
  const std::string redis = tool("redis-server"), client = tool("redis-cli");
  if (redis.empty() || client.empty()) GTEST_SKIP() << "redis-server or redis-cli is not installed";
  const std::string socket = folder_ / "socket";
  Running server(under_heap({redis, "--port", "0", "--unixsocket", socket, "--save", "", "--appendonly", "no", "--dir",
                             folder_.path(), "--logfile", folder_ / "log"}));
  ASSERT_TRUE(wait_for_file(socket)) << contents(folder_ / "log");
  RunOptions options;
  for (int i = 0; i < 2000; ++i)
    options.input += "set key" + std::to_string(i) + " " + std::string(100 + i % 50, 'v') + "\nrpush list " +
                     std::to_string(i) + "\n";
  options.input += "save\nllen list\ndbsize\nflushall\nshutdown nosave\n";
  const Ran asked = run({client, "-s", socket}, options);
  EXPECT_THAT(asked.out, ::testing::HasSubstr("OK\n2000\n2001\nOK\n"));
  Ran ran = server.wait();
  EXPECT_EQ(ran.ending(), "exit 0") << ran.err << contents(folder_ / "log");
  expect_exact_report(4000);
}

}  // namespace
}  // namespace culprit::test
