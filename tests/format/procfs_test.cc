#include "format/procfs.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/syscall.h"
#include "model/handle_event.h"

namespace culprit {
namespace {

using ::testing::ElementsAre;

TEST(Procfs, ReadsALineOfMaps) {
  auto maps = parse_maps(
      "55d0a0000000-55d0a0001000 r-xp 00002000 fd:01 1234                       /usr/bin/cat\n"
      "7ffd12345000-7ffd12366000 rw-s 00000000 00:00 0                          [stack]\n"
      "7f0000000000-7f0000001000 ---p 00000000 00:00 0 \n");
  ASSERT_EQ(maps.size(), 3u);
  EXPECT_EQ(maps[0].start, 0x55d0a0000000u);
  EXPECT_EQ(maps[0].end, 0x55d0a0001000u);
  EXPECT_EQ(maps[0].offset, 0x2000u);
  EXPECT_EQ(maps[0].device_major, 0xfdu);
  EXPECT_EQ(maps[0].device_minor, 1u);
  EXPECT_EQ(maps[0].inode, 1234u);
  EXPECT_EQ(maps[0].path, "/usr/bin/cat");
  EXPECT_TRUE(maps[0].is_readable && maps[0].is_executable && !maps[0].is_writable && !maps[0].is_shared);
  EXPECT_EQ(maps[1].path, "[stack]");
  EXPECT_TRUE(maps[1].is_shared && maps[1].is_writable);
  EXPECT_EQ(maps[2].path, "");
  EXPECT_FALSE(maps[2].is_readable);
}

TEST(Procfs, KeepsOddPathsOfMapsWhole) {
  auto maps = parse_maps(
      "1000-2000 r--p 00000000 fd:01 5    /tmp/a b\\012c (deleted)\n"
      "2000-3000 r--p 00000000 fd:01 5    /tmp/plain\\x (deleted) \n");
  ASSERT_EQ(maps.size(), 2u);
  EXPECT_EQ(maps[0].path, "/tmp/a b\nc");
  EXPECT_TRUE(maps[0].is_deleted);
  EXPECT_EQ(maps[1].path, "/tmp/plain\\x (deleted) ");
  EXPECT_FALSE(maps[1].is_deleted);
}

TEST(Procfs, SkipsLinesOfMapsThatMakeNoSense) {
  EXPECT_TRUE(parse_maps("").empty());
  EXPECT_TRUE(parse_maps("hello\n2000-1000 r--p 0 0:0 0\n1000-2000 r--p\n99999999999999999-1 rwxp 0 0:0 0\n").empty());
}

TEST(Procfs, ReadsTheStatus) {
  auto status = parse_status(
      "Name:\ta\\nb\\\\c\nUmask:\t0022\nState:\tS (sleeping)\nTgid:\t77\nPid:\t78\nPPid:\t5\nTracerPid:\t9\n"
      "Uid:\t1000\t1001\t1002\t1003\nNSpid:\t78\t3\nThreads:\t12\nSeccomp:\t2\nSeccomp_filters:\t1\n");
  ASSERT_TRUE(status);
  EXPECT_EQ(status->name, "a\nb\\c");
  EXPECT_EQ(status->process, 77u);
  EXPECT_EQ(status->pid, 78u);
  EXPECT_EQ(status->parent, 5u);
  EXPECT_EQ(status->tracer, 9u);
  EXPECT_EQ(status->real_uid, 1000u);
  EXPECT_EQ(status->effective_uid, 1001u);
  EXPECT_THAT(status->namespaced_pids, ElementsAre(78u, 3u));
  EXPECT_EQ(status->threads, 12u);
  EXPECT_EQ(status->seccomp_mode, 2u);
  EXPECT_FALSE(parse_status("Name:\tx\n"));
}

TEST(Procfs, ReadsStatWhateverTheNameHolds) {
  auto stat = parse_stat("42 (a) R (b) S 7 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654 1 2\n");
  ASSERT_TRUE(stat);
  EXPECT_EQ(stat->pid, 42u);
  EXPECT_EQ(stat->name, "a) R (b");
  EXPECT_EQ(stat->state, 'S');
  EXPECT_EQ(stat->parent, 7u);
  EXPECT_EQ(stat->start_ticks, 987654u);
  for (std::string_view bad : {"", "42", "42 (x", "42 )x( S", "42 (x) S 7 1", "x (y) S 1"})
    EXPECT_FALSE(parse_stat(bad)) << bad;
}

TEST(Procfs, ReadsTheLimitOfOpenFiles) {
  constexpr std::string_view heading =
      "Limit                     Soft Limit           Hard Limit           Units     \n";
  auto limit = parse_open_files_limit(
      std::string(heading) + "Max open files            1024                 unlimited            files     \n");
  ASSERT_TRUE(limit);
  EXPECT_EQ(limit->soft, 1024u);
  EXPECT_EQ(limit->hard, unlimited);
  EXPECT_FALSE(parse_open_files_limit(heading));
  EXPECT_FALSE(parse_open_files_limit("Max open files\n"));
}

TEST(Procfs, TellsTheTypeFromTheLinkOfAHandle) {
  struct {
    std::string_view link, type, name;
    uint64_t inode;
  } cases[] = {
      {"socket:[123]", handle_type::socket, "", 123},
      {"pipe:[45]", handle_type::pipe, "", 45},
      {"anon_inode:[eventfd]", handle_type::eventfd, "eventfd", 0},
      {"anon_inode:[eventpoll]", handle_type::epoll, "eventpoll", 0},
      {"anon_inode:inotify", handle_type::inotify, "inotify", 0},
      {"anon_inode:[pidfd]", handle_type::pidfd, "pidfd", 0},
      {"pidfd:[99]", handle_type::pidfd, "", 99},
      {"anon_inode:bpf-map", handle_type::bpf, "bpf-map", 0},
      {"anon_inode:kvm-vcpu:0", handle_type::kvm, "kvm-vcpu:0", 0},
      {"anon_inode:[of tomorrow]", handle_type::other, "of tomorrow", 0},
      {"net:[4026531833]", handle_type::name_space, "net", 4026531833},
      {"/memfd:x (deleted)", handle_type::memfd, "/memfd:x", 0},
      {"/dev/pts/0", handle_type::terminal, "/dev/pts/0", 0},
      {"/dev/null", handle_type::device, "/dev/null", 0},
      {"/etc/passwd", handle_type::file, "/etc/passwd", 0},
      {"socket:x", handle_type::other, "socket:x", 0},
      {"", handle_type::other, "", 0},
  };
  for (const auto& each : cases) {
    FdTarget target = parse_fd_link(each.link);
    EXPECT_EQ(target.type, each.type) << each.link;
    EXPECT_EQ(target.name, each.name) << each.link;
    EXPECT_EQ(target.inode, each.inode) << each.link;
    EXPECT_FALSE(target.is_deleted) << each.link;
  }
}

TEST(Procfs, TheModeTellsWhatAPathCannot) {
  EXPECT_EQ(parse_fd_link("/tmp", S_IFDIR | 0755).type, handle_type::directory);
  EXPECT_EQ(parse_fd_link("/tmp/p", S_IFIFO).type, handle_type::fifo);
  EXPECT_EQ(parse_fd_link("/tmp/disk", S_IFBLK).type, handle_type::device);
  EXPECT_EQ(parse_fd_link("/dev/pts/1", S_IFCHR).type, handle_type::terminal);
  EXPECT_EQ(parse_fd_link("/dev/shm/x", S_IFREG).type, handle_type::file);
  EXPECT_TRUE(parse_fd_link("/tmp/x (deleted)", S_IFREG).is_deleted);
}

TEST(Procfs, NamesInternetSockets) {
  SocketRows names;
  std::string heading =
      "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";
  add_socket_rows(
      "tcp",
      heading +
          "   0: 0100007F:0050 0100000A:1092 01 00000000:00000000 00:00000000 00000000     0        0 1239 1 0 100\n"
          "   1: 00000000:07E8 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1240 1 0 100\n",
      names);
  add_socket_rows("tcp6",
                  heading +
                      "   0: 00000000000000000000000001000000:1F90 00000000000000000000000000000000:0000 0A 0:0 00:0 "
                      "0 0 0 1241 1\n",
                  names);
  add_socket_rows("udp", heading + " 9: 0100007F:0035 00000000:0000 07 0:0 00:0 0 0 0 1242 2\n", names);
  EXPECT_EQ(name_of(names[1239]), "tcp 127.0.0.1:80 -> 10.0.0.1:4242 ESTABLISHED");
  EXPECT_EQ(name_of(names[1240]), "tcp 0.0.0.0:2024 LISTEN");
  EXPECT_EQ(name_of(names[1241]), "tcp6 [::1]:8080 LISTEN");
  EXPECT_EQ(name_of(names[1242]), "udp 127.0.0.1:53");
}

TEST(Procfs, NamesOtherSockets) {
  SocketRows names;
  add_socket_rows("unix",
                  "Num RefCount Protocol Flags Type St Inode Path\n"
                  "0000000000000000: 00000002 00000000 00010000 0001 01 20 /run/my file.sock\n"
                  "0000000000000000: 00000003 00000000 00000000 0002 03 21\n"
                  "0000000000000000: 00000003 00000000 00000000 0005 03 22 @abstract\n",
                  names);
  add_socket_rows("netlink",
                  "sk Eth Pid Groups Rmem Wmem Dump Locks Drops Inode\n0 0   0 00000000 0 0 0 2 0 4       \n", names);
  add_socket_rows("packet", "sk RefCnt Type Proto Iface R Rmem User Inode\n0 3 3 0003 2 1 0 0 77\n", names);
  EXPECT_EQ(name_of(names[20]), "unix stream /run/my file.sock LISTEN");
  EXPECT_EQ(name_of(names[21]), "unix datagram");
  EXPECT_EQ(name_of(names[22]), "unix seqpacket @abstract");
  EXPECT_EQ(name_of(names[4]), "netlink route");
  EXPECT_EQ(name_of(names[77]), "packet raw 0x0003");
  size_t known = names.size();
  add_socket_rows("unix", "heading\nnonsense\n\n: : :\n", names);
  add_socket_rows("tcp", "heading\n 0: zz:zz\n", names);
  add_socket_rows("of tomorrow", "heading\n1 2 3 4 5 6 7 8 9 10\n", names);
  EXPECT_EQ(names.size(), known);
}

TEST(Procfs, ReadsWhatTheKernelSaysAboutThisProcess) {
  auto maps = parse_maps(*read_whole_file("/proc/self/maps"));
  EXPECT_TRUE(std::ranges::any_of(maps, [](const MapsEntry& entry) { return entry.path == "[stack]"; }));
  auto status = parse_status(*read_whole_file("/proc/self/status"));
  auto stat = parse_stat(*read_whole_file("/proc/self/stat"));
  ASSERT_TRUE(status && stat);
  EXPECT_EQ(status->process, static_cast<uint32_t>(getpid()));
  EXPECT_EQ(stat->parent, status->parent);
  EXPECT_EQ(status->real_uid, getuid());
  EXPECT_GT(stat->start_ticks, 0u);
  EXPECT_TRUE(parse_open_files_limit(*read_whole_file("/proc/self/limits")));
}

TEST(Procfs, TellsWhenAThreadRanLast) {
  constexpr std::string_view text =
      "server (16100, #threads: 4)\n-------\n"
      "se.exec_start                                :      13134587.276143\n"
      "se.vruntime                                  :         12348.849474\n";
  EXPECT_EQ(parse_last_run(text), 13134587276143u);
  EXPECT_EQ(parse_last_run("se.exec_start : 12\n"), std::nullopt);
  EXPECT_EQ(parse_last_run("se.exec_start : 99999999999999999.000000\n"), std::nullopt);
  EXPECT_EQ(parse_last_run("server (1, #threads: 1)\n"), std::nullopt);
}

}  // namespace
}  // namespace culprit
