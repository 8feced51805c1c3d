// Launching programs: what they get, and what is told of how they ended. The library preloaded here is no agent.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "base/fd.h"
#include "capture/handle_calls.h"
#include "capture/program_examination.h"
#include "capture/recorder.h"
#include "capture/snapshot.h"
#include "capture/tsc_clock.h"
#include "collected_events.h"

namespace culprit {
namespace {

constexpr const char* harmless_library = "/lib/x86_64-linux-gnu/libm.so.6";

RunOutcome run(std::vector<std::string> command, CollectedEvents& events) {
  auto outcome = record_run({std::move(command), harmless_library}, events.tables, events);
  EXPECT_TRUE(outcome) << outcome.error().what;
  return outcome.value_or(RunOutcome{});
}

TEST(RecordRun, HandsOnExitStatusAndSignal) {
  CollectedEvents events;
  int status = run({"sh", "-c", "exit 7"}, events).wait_status;
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 7);
  status = run({"sh", "-c", "kill -TERM $$"}, events).wait_status;
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(WTERMSIG(status), SIGTERM);
  EXPECT_EQ(events.changes(ProcessChange::exited), 1u);
  EXPECT_EQ(events.changes(ProcessChange::killed), 1u);
}

TEST(RecordRun, WaitsForWhatTheProgramLeavesBehind) {
  CollectedEvents events;
  std::string file = testing::TempDir() + "left_behind";
  unlink(file.c_str());
  RunOutcome outcome = run({"sh", "-c", "(sleep 0.3; echo done > " + file + ") & exit 0"}, events);
  EXPECT_FALSE(outcome.interrupted);
  std::string word;
  std::ifstream(file) >> word;
  EXPECT_EQ(word, "done");
}

TEST(RecordRun, SaysWhatCannotBeStarted) {
  CollectedEvents events;
  RunOutcome missing = run({"no-such-program-anywhere"}, events);
  EXPECT_FALSE(missing.started);
  EXPECT_EQ(missing.not_started_status, 127);
  EXPECT_NE(missing.not_started_why.find("no-such-program-anywhere"), std::string::npos);
  EXPECT_EQ(run({"/etc/passwd"}, events).not_started_status, 126);
  EXPECT_EQ(run({"/etc"}, events).not_started_status, 126);
  EXPECT_EQ(run({"/no/such/file"}, events).not_started_status, 127);
  EXPECT_TRUE(events.processes.empty());
}

TEST(RecordRun, ANameThatIsForbiddenEarlierInThePathIsFoundLater) {
  std::string folder = testing::TempDir() + "forbidden_path";
  mkdir(folder.c_str(), 0755);
  std::ofstream(folder + "/true") << "not executable";
  auto found = find_program("true", folder + ":/bin");
  ASSERT_TRUE(found);
  EXPECT_EQ(*found, "/bin/true");
  auto refused = find_program("true", folder);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::no_access);
}

TEST(RecordRun, LeavesSignalDispositionsAsTheyWere) {
  struct sigaction before {
  }, after{};
  signal(SIGHUP, SIG_IGN);
  sigaction(SIGHUP, nullptr, &before);
  CollectedEvents events;
  // Bit 0 of SigIgn is SIGHUP: ignored by us, so by the program; SIGINT (bit 1) and SIGUSR1 (bit 9) are not.
  std::string file = testing::TempDir() + "ignored_signals";
  run({"sh", "-c", "grep SigIgn /proc/self/status > " + file}, events);
  sigaction(SIGHUP, nullptr, &after);
  EXPECT_EQ(before.sa_handler, after.sa_handler);
  signal(SIGHUP, SIG_DFL);
  std::string word, mask;
  std::ifstream(file) >> word >> mask;
  uint64_t ignored = std::stoull(mask, nullptr, 16);
  EXPECT_EQ(ignored & 1, 1u);
  EXPECT_EQ(ignored & (1u << 1 | 1u << 9), 0u);
}

TEST(RecordRun, AProgramInWhichTheAgentDoesNotStartIsALoss) {
  CollectedEvents events;
  run({"true"}, events);
  EXPECT_EQ(events.lost(LossKind::process_not_followed), 1u);
}

TEST(Snapshot, NamesWhatIsInTheTable) {
  TraceTables tables;
  Fd event(eventfd(0, 0)), epoll(epoll_create1(0)), listener(socket(AF_UNIX, SOCK_STREAM, 0));
  Fd file(open("/etc/passwd", O_RDONLY)), folder(open("/etc", O_RDONLY)), device(open("/dev/null", O_RDONLY));
  auto table = read_handle_table(static_cast<uint32_t>(getpid()), tables);
  ASSERT_TRUE(table);
  auto type_of = [&](const Fd& fd) {
    auto found = std::find_if(table->entries.begin(), table->entries.end(),
                              [&](const SnapshotEntry& entry) { return entry.value == fd.get(); });
    return found == table->entries.end() ? std::string("missing") : std::string(tables.text(found->type));
  };
  EXPECT_EQ(type_of(event), "eventfd");
  EXPECT_EQ(type_of(epoll), "epoll");
  EXPECT_EQ(type_of(listener), "socket");
  EXPECT_EQ(type_of(file), "file");
  EXPECT_EQ(type_of(folder), "directory");
  EXPECT_EQ(type_of(device), "device");
  EXPECT_GT(table->handle_limit, 0u);
  EXPECT_TRUE(std::is_sorted(table->entries.begin(), table->entries.end(),
                             [](const auto& a, const auto& b) { return a.value < b.value; }));
}

TEST(Snapshot, OfAProcessThatIsGoneIsAnError) {
  TraceTables tables;
  auto table = read_handle_table(0x3ffffffe, tables);
  ASSERT_FALSE(table);
  EXPECT_EQ(table.error().kind, ErrorKind::gone);
}

TEST(HandleCalls, NameSocketsAndIoctls) {
  EXPECT_EQ(describe_call(41, 2 | 1 << 16).name, "socket tcp");
  EXPECT_EQ(describe_call(41, 10 | 2 << 16).name, "socket udp6");
  EXPECT_EQ(describe_call(41, 1 | (1 | 02000000 | 04000) << 16).name, "socket unix stream");
  EXPECT_EQ(describe_call(16, 0x5441).call, "ioctl(TIOCGPTPEER)");
  EXPECT_EQ(describe_call(999, 0).call, "system call 999");
  EXPECT_EQ(type_by_path("/dev/ptmx", "file"), "terminal");
}

TEST(TscClock, NeverRunsBackwardsHoweverItIsCorrected) {
  TscClock clock({1'000'000, 1'000'000}, {2'000'000, 2'000'000});
  EXPECT_EQ(clock.time_of(0), 1'000'000);
  Time last = 0;
  uint64_t tsc = 2'000'000;
  for (int i = 0; i < 2000; i++) {
    tsc += 30'000'000;
    clock.refine({tsc, static_cast<Time>(tsc) + (i % 7 - 3) * 5'000'000});
    for (uint64_t step = 0; step < 30'000'000; step += 10'000'000) {
      Time time = clock.time_of(tsc - 30'000'000 + step);
      EXPECT_GE(time, last);
      last = time;
    }
  }
  constexpr Time minute = 60'000'000'000;
  EXPECT_LT(clock.time_of(UINT64_MAX), clock.time_of(tsc) + minute) << "a stamp nobody can have written";
}

TEST(TscClock, GivesAStampTheSameTimeWheneverItIsAsked) {
  TscClock clock({1'000'000, 1'000'000}, {2'000'000, 2'000'000});
  // Stamps that threads write while their rings are being emptied, i.e. after the round's reading.
  Time first = clock.time_of(2'000'100);
  Time second = clock.time_of(2'000'200);
  EXPECT_LT(first, second);
  clock.refine({40'000'000, 41'000'000});
  EXPECT_EQ(clock.time_of(2'000'100), first);
  EXPECT_EQ(clock.time_of(2'000'200), second);
}

}  // namespace
}  // namespace culprit
