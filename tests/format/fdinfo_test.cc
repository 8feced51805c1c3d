#include "format/fdinfo.h"

#include <gtest/gtest.h>

namespace culprit {
namespace {

TEST(FdInfo, ReadsWhatEveryHandleHas) {
  FdInfo info = parse_fdinfo("pos:\t17\nflags:\t02100002\nmnt_id:\t15\nino:\t1057\n");
  EXPECT_EQ(info.position, 17u);
  EXPECT_EQ(info.flags, 02100002u);
  EXPECT_TRUE(info.is_close_on_exec());
  EXPECT_EQ(info.mount_id, 15);
  EXPECT_EQ(info.inode, 1057u);
  EXPECT_FALSE(parse_fdinfo("flags:\t02\n").is_close_on_exec());
  EXPECT_TRUE(info.lines.empty());
}

TEST(FdInfo, ReadsCountersSignalsAndProcesses) {
  FdInfo event = parse_fdinfo("eventfd-count:               1f\neventfd-id: 1\neventfd-semaphore: 1\n");
  EXPECT_EQ(event.eventfd_count, 0x1fu);
  EXPECT_TRUE(event.eventfd_is_semaphore);
  ASSERT_EQ(event.lines.size(), 1u);
  EXPECT_EQ(event.lines[0].key, "eventfd-id");
  EXPECT_EQ(event.lines[0].value, "1");
  EXPECT_EQ(parse_fdinfo("Pid:\t-1\nNSpid:\t-1\n").pidfd_pid, -1);
  EXPECT_EQ(parse_fdinfo("sigmask:\t0000000000000006\n").signalfd_mask, 6u);
  EXPECT_EQ(parse_fdinfo("tty-index:\t5\n").terminal_index, 5u);
}

TEST(FdInfo, ReadsATimersSetting) {
  FdInfo info =
      parse_fdinfo("clockid: 1\nticks: 3\nsettime flags: 01\nit_value: (2, 49406829)\nit_interval: (1, 500000000)\n");
  ASSERT_TRUE(info.timer);
  EXPECT_EQ(info.timer->clock, 1);
  EXPECT_EQ(info.timer->expirations, 3u);
  EXPECT_EQ(info.timer->flags, 1u);
  EXPECT_EQ(info.timer->remaining, 2'049'406'829u);
  EXPECT_EQ(info.timer->interval, 1'500'000'000u);
  EXPECT_EQ(parse_fdinfo("clockid: 0\nit_value: (99999999999999999999, 1)\n").timer->remaining, 1u);
  EXPECT_FALSE(parse_fdinfo("it_value: (1, 0)\n").timer);
}

TEST(FdInfo, ReadsWhatIsWatched) {
  FdInfo epoll = parse_fdinfo("tfd:        5 events:       1b data:                7  pos:0 ino:2a sdev:10\ntfd: 6\n");
  ASSERT_EQ(epoll.epoll_watches.size(), 2u);
  EXPECT_EQ(epoll.epoll_watches[0].value, 5);
  EXPECT_EQ(epoll.epoll_watches[0].events, 0x1bu);
  EXPECT_EQ(epoll.epoll_watches[0].data, 7u);
  EXPECT_EQ(epoll.epoll_watches[0].inode, 0x2au);
  EXPECT_EQ(epoll.epoll_watches[0].device, 0x10u);
  EXPECT_EQ(epoll.epoll_watches[1].value, 6);
  FdInfo inotify =
      parse_fdinfo("inotify wd:2 ino:1f sdev:900001 mask:fce ignored_mask:0 fhandle-bytes:8\ninotify wd:1\n");
  ASSERT_EQ(inotify.inotify_watches.size(), 2u);
  EXPECT_EQ(inotify.inotify_watches[0].number, 2);
  EXPECT_EQ(inotify.inotify_watches[0].inode, 0x1fu);
  EXPECT_EQ(inotify.inotify_watches[0].device, 0x900001u);
  EXPECT_EQ(inotify.inotify_watches[0].mask, 0xfceu);
}

TEST(FdInfo, ReadsLocks) {
  FdInfo info = parse_fdinfo(
      "lock:\t1: POSIX  ADVISORY  WRITE 22311 fe:00:10953220 5 14\n"
      "lock:\t2: FLOCK  ADVISORY  READ 7 08:1f:11 0 EOF\nlock:\tnonsense\nlock:\t3: POSIX ADVISORY\n");
  ASSERT_EQ(info.locks.size(), 2u);
  EXPECT_EQ(info.locks[0], (FileLock{1, "POSIX", "WRITE", false, 22311, 0xfe, 0, 10953220, 5, 14}));
  EXPECT_EQ(info.locks[1], (FileLock{2, "FLOCK", "READ", false, 7, 8, 0x1f, 11, 0, FileLock::end_of_file}));
}

TEST(FdInfo, TellsWhoWaitsFromWhoHolds) {
  auto locks = parse_locks(
      "1: OFDLCK ADVISORY  WRITE -1 fe:00:5 0 EOF\n"
      "1: -> OFDLCK ADVISORY  WRITE -1 fe:00:5 0 EOF\n1: -> -> POSIX  ADVISORY  READ 9 fe:00:5 0 0\n");
  ASSERT_EQ(locks.size(), 3u);
  EXPECT_FALSE(locks[0].is_waiting);
  EXPECT_EQ(locks[0].pid, -1);
  EXPECT_TRUE(locks[1].is_waiting);
  EXPECT_EQ(locks[2].kind, "POSIX");
  EXPECT_EQ(locks[2].id, 1u);
  EXPECT_TRUE(parse_locks("\n\n->\n1:\n").empty());
}

TEST(FdInfo, KeepsABoundedNumberOfLinesItDoesNotKnow) {
  std::string text = "map_type:\t2\nname: " + std::string(5000, 'x') + "\n";
  for (int i = 0; i < 1000; i++) text += "of tomorrow: 1\n";
  FdInfo info = parse_fdinfo(text);
  EXPECT_EQ(info.lines[0].key, "map_type");
  EXPECT_EQ(info.lines[0].value, "2");
  EXPECT_LE(info.lines[1].value.size(), 256u);
  EXPECT_EQ(info.lines.size(), 64u);
}

}  // namespace
}  // namespace culprit
