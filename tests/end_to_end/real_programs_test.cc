// Programs people use: unchanged output and status under `culprit run`, and nothing contradicts /proc/PID/fd.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>

#include "support/nginx_config.h"
#include "support/run_culprit.h"

namespace culprit::test {
namespace {

using ::testing::HasSubstr;

class RealPrograms : public ::testing::Test {
 protected:
  // Skips the test when the machine has no such program.
  std::string needed(const char* name) {
    std::string path = tool(name);
    if (path.empty()) missing_ = name;
    return path;
  }

  void expect_unchanged(const Words& command, RunOptions options = {}) {
    if (options.directory.empty()) options.directory = folder_.path();
    Ran alone = run(command, options);
    Watched watched = watch(command, options);
    EXPECT_EQ(watched.ran.ending(), alone.ending());
    EXPECT_EQ(watched.ran.out, alone.out);
    EXPECT_EQ(watched.ran.err, alone.err);
    EXPECT_FALSE(alone.out.empty()) << "the program said nothing: " << alone.err;
    if (watched.report.empty()) return;
    EXPECT_GT(watched.report.at("totals").at("created").get<uint64_t>(), 0u);
    EXPECT_EQ(loss(watched.report, "vanished_handle"), 0u) << watched.report.at("losses");
  }

  TemporaryFolder folder_;
  std::string missing_;
};

#define NEED(variable, name)           \
  std::string variable = needed(name); \
  if (variable.empty()) GTEST_SKIP() << missing_ << " is not installed"

TEST_F(RealPrograms, Python) {
  NEED(python, "python3");
  expect_unchanged({python, "-c", R"(
import os, socket, subprocess, tempfile, threading, json, sqlite3
files = [open(os.devnull) for _ in range(50)]
with tempfile.TemporaryFile() as scratch: scratch.write(b'x' * 100000)
a, b = socket.socketpair(); a.send(b'hello'); print(b.recv(10))
print(subprocess.run(['sh', '-c', 'echo from a shell; exit 3'], capture_output=True).returncode)
threads = [threading.Thread(target=lambda: [open(os.devnull).close() for _ in range(200)]) for _ in range(8)]
[t.start() for t in threads]; [t.join() for t in threads]
pid = os.fork()
if pid == 0: os._exit(4)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
print(sorted(int(n) for n in os.listdir('/proc/self/fd'))[:3], len(files))
raise SystemExit(9)
)"});
}

TEST_F(RealPrograms, Git) {
  NEED(git, "git");
  RunOptions options;
  options.environment = {"GIT_AUTHOR_DATE=2020-01-01T00:00:00Z", "GIT_COMMITTER_DATE=2020-01-01T00:00:00Z",
                         "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null", "HOME=" + folder_.path()};
  std::string script = "set -e; rm -rf r; '" + git + "' -c init.defaultBranch=main init -q r; cd r; git=" + git + R"(
for i in 1 2 3 4 5; do seq $i 500 > f$i; $git add .; $git -c user.name=a -c user.email=a@b commit -qm "number $i"; done
$git log --stat --format='%H %s' | cat; $git gc -q; $git fsck --strict; $git diff --stat HEAD~3)";
  expect_unchanged({"/bin/sh", "-c", script}, options);
}

TEST_F(RealPrograms, Node) {
  NEED(node, "node");
  expect_unchanged({node, "-e", R"(
const fs = require('fs'), net = require('net'), { execFileSync } = require('child_process');
const held = []; for (let i = 0; i < 40; i++) held.push(fs.openSync('/dev/null', 'r'));
console.log(execFileSync('sh', ['-c', 'echo child']).toString().trim());
const server = net.createServer(s => s.end('bye')).listen(0, '127.0.0.1', () => {
  let left = 20;
  for (let i = 0; i < 20; i++) net.connect(server.address().port, '127.0.0.1').resume().on('close', () => {
    if (--left === 0) { console.log('served'); server.close(); process.exitCode = 6; }
  });
});)"});
}

TEST_F(RealPrograms, Sqlite) {
  NEED(sqlite, "sqlite3");
  RunOptions options;
  options.input = R"(create table t(a, b); begin;
insert into t with recursive n(i) as (select 1 union all select i + 1 from n where i < 20000) select i, i * i % 97 from n;
commit; create index x on t(b); select b, count(*) from t group by b order by 2 desc, 1 limit 5; drop table t; vacuum;
)";
  expect_unchanged({sqlite, folder_ / "test.db"}, options);
}

TEST_F(RealPrograms, Clang) {
  NEED(clang, "clang-16");
  write_file(folder_ / "x.cc",
             "#include <map>\n#include <string>\nint f(std::map<std::string, int>& m) { return m[\"x\"]; }\n");
  expect_unchanged({"/bin/sh", "-c", clang + " -O2 -S -o - x.cc | grep -v '^#' | md5sum"});
}

TEST_F(RealPrograms, Perl) {
  NEED(perl, "perl");
  expect_unchanged(
      {perl, "-e",
       "for (1..30) { open(my $f, '<', '/dev/null'); push @k, $f } print `echo sub`, scalar(@k), qq(\\n); exit 5"});
}

TEST_F(RealPrograms, Nginx) {
  NEED(nginx, "nginx");
  if (tool("curl").empty()) GTEST_SKIP() << "curl is not installed";
  ASSERT_NO_FATAL_FAILURE(make_nginx_folder(folder_));
  Running server(under_culprit({"--json", "--all", "--report", folder_ / "report.json"},
                               {nginx, "-p", folder_.path(), "-c", folder_ / "nginx.conf"}));
  if (!wait_for_file(folder_ / "pid")) FAIL() << server.wait().err << contents(folder_ / "error.log");
  EXPECT_EQ(ask_nginx(folder_, 250), nginx_answers(250));
  ::kill(std::stoi(contents(folder_ / "pid")), SIGQUIT);  // the graceful end
  Ran ran = server.wait();
  EXPECT_EQ(ran.ending(), "exit 0") << ran.err;
  Json report = Json::parse(contents(folder_ / "report.json"), nullptr, false);
  ASSERT_FALSE(report.is_discarded());
  EXPECT_EQ(report.at("processes").size(), 3u);
  EXPECT_GE(report.at("totals").at("created").get<uint64_t>(), 2000u);
  EXPECT_EQ(loss(report, "vanished_handle"), 0u) << report.at("losses");
}

}  // namespace
}  // namespace culprit::test
