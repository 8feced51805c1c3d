#include "target/handle_inventory.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <thread>

#include "capture/victim.h"
#include "model/handle_event.h"
#include "target/handle_links.h"
#include "target/ptrace_threads.h"

namespace culprit {
namespace {

using ::testing::IsEmpty;

HandleInventory inventory_of(uint32_t pid, const DetailWish& wish = {}) {
  auto inventory = read_handle_inventory(pid);
  EXPECT_TRUE(inventory) << inventory.error().what;
  if (!inventory) return {};
  std::vector<size_t> all(inventory->handles.size());
  for (size_t i = 0; i < all.size(); i++) all[i] = i;
  read_handle_details(*inventory, all, wish);
  return std::move(*inventory);
}

// An empty handle when the number is not in use.
OpenHandle handle_at(const HandleInventory& inventory, int value) {
  auto found = std::ranges::find(inventory.handles, value, &OpenHandle::value);
  return found == inventory.handles.end() ? OpenHandle{} : *found;
}

HandleInventory own() { return inventory_of(static_cast<uint32_t>(getpid())); }

std::vector<int64_t> values_of(const HolderSearch::Found* found, uint32_t pid) {
  std::vector<int64_t> values;
  if (found == nullptr) return values;
  for (const HandleHolder& holder : found->holders)
    if (holder.pid == pid) values.push_back(holder.value);
  return values;
}

struct Numbers {
  ~Numbers() {
    for (int number : numbers) close(number);
  }
  int keep(int number) {
    EXPECT_GE(number, 0);
    numbers.push_back(number);
    return number;
  }
  std::vector<int> numbers;
};

TEST(HandleInventory, HasEveryHandleWithItsTypeNameAndFlags) {
  Numbers held;
  const int null = held.keep(open("/dev/null", O_RDWR | O_APPEND | O_CLOEXEC));
  const int folder = held.keep(open("/etc", O_RDONLY | O_DIRECTORY));
  HandleInventory inventory = own();
  EXPECT_EQ(handle_at(inventory, null).type, handle_type::device);
  EXPECT_EQ(handle_at(inventory, null).name, "/dev/null");
  ASSERT_TRUE(handle_at(inventory, null).info);
  EXPECT_EQ(handle_at(inventory, null).info->flags & (O_ACCMODE | O_APPEND | O_CLOEXEC), 02u | O_APPEND | O_CLOEXEC);
  EXPECT_EQ(handle_at(inventory, folder).type, handle_type::directory);
  EXPECT_TRUE(std::ranges::is_sorted(inventory.handles, {}, &OpenHandle::value));
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  EXPECT_EQ(inventory.limit.soft, limit.rlim_cur);
  EXPECT_FALSE(inventory.other_mounts || inventory.other_network);
}

TEST(HandleInventory, HasTheNumbersWithinKernelObjects) {
  Numbers held;
  const int event = held.keep(eventfd(7, EFD_SEMAPHORE));
  const int timer = held.keep(timerfd_create(CLOCK_MONOTONIC, 0));
  const itimerspec setting{.it_interval = {2, 500'000'000}, .it_value = {4000, 0}};
  timerfd_settime(timer, 0, &setting, nullptr);
  const int queue = held.keep(epoll_create1(0));
  epoll_event wish{.events = EPOLLIN | EPOLLET, .data = {}};
  epoll_ctl(queue, EPOLL_CTL_ADD, event, &wish);
  const int self = held.keep(static_cast<int>(syscall(SYS_pidfd_open, getpid(), 0)));
  const int memory = held.keep(memfd_create("some memory", 0));
  ASSERT_EQ(ftruncate(memory, 123456), 0);
  HandleInventory inventory = own();
  EXPECT_EQ(handle_at(inventory, event).info->eventfd_count, 7u);
  EXPECT_EQ(handle_at(inventory, event).name, "");
  EXPECT_EQ(handle_at(inventory, timer).info->timer->interval, 2'500'000'000u);
  EXPECT_GT(handle_at(inventory, timer).info->timer->remaining, 1'000'000'000'000u);
  ASSERT_EQ(handle_at(inventory, queue).info->epoll_watches.size(), 1u);
  EXPECT_EQ(handle_at(inventory, queue).info->epoll_watches[0].value, event);
  EXPECT_EQ(handle_at(inventory, self).info->pidfd_pid, getpid());
  EXPECT_FALSE(handle_at(inventory, self).process.empty());
  EXPECT_EQ(handle_at(inventory, memory).type, handle_type::memfd);
  EXPECT_EQ(handle_at(inventory, memory).size, 123456u);
}

TEST(HandleInventory, TellsWhatADeletedFileStillHolds) {
  Numbers held;
  char path[] = "/tmp/culprit_inventory_XXXXXX";
  const int file = held.keep(mkstemp(path));
  unlink(path);
  const std::string text(100'000, 'x');
  ASSERT_EQ(write(file, text.data(), text.size()), static_cast<ssize_t>(text.size()));
  const OpenHandle handle = handle_at(own(), file);
  EXPECT_TRUE(handle.is_deleted);
  EXPECT_EQ(handle.name, path);
  EXPECT_EQ(handle.size, text.size());
  EXPECT_EQ(handle.info->position, text.size());
}

TEST(HandleInventory, HasTheLocksThatAreHeld) {
  Numbers held;
  char path[] = "/tmp/culprit_inventory_XXXXXX";
  const int file = held.keep(mkstemp(path));
  unlink(path);
  ASSERT_EQ(flock(file, LOCK_SH), 0);
  struct flock range {};
  range.l_type = F_WRLCK;
  range.l_start = 10;
  range.l_len = 5;
  ASSERT_EQ(fcntl(file, F_SETLK, &range), 0);
  const HandleInventory inventory = own();
  const OpenHandle handle = handle_at(inventory, file);
  ASSERT_EQ(handle.info->locks.size(), 2u);
  auto posix = std::ranges::find(handle.info->locks, "POSIX", &FileLock::kind);
  ASSERT_NE(posix, handle.info->locks.end());
  EXPECT_EQ(posix->start, 10u);
  EXPECT_EQ(posix->end, 14u);
  EXPECT_EQ(posix->access, "WRITE");
  EXPECT_FALSE(inventory.locks.empty());
}

TEST(HandleInventory, FindsTheOtherEndOfAPipeInAnotherProcess) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  Victim victim([&] {
    close(ends[1]);
    return dup2(ends[0], 77);
  });
  close(ends[0]);
  Numbers held;
  held.keep(ends[1]);
  victim.begin();
  ASSERT_EQ(victim.wait_until_done(), 77);
  const HandleInventory inventory = own();
  const HolderSearch::Found* found = inventory.holders.find(handle_at(inventory, ends[1]).link);
  EXPECT_THAT(values_of(found, victim.pid()), ::testing::ElementsAre(ends[0], 77));
  for (const HandleHolder& holder : found->holders) {
    EXPECT_EQ(holder.reads, holder.pid == victim.pid());
    EXPECT_EQ(holder.writes, holder.pid != victim.pid());
    EXPECT_FALSE(holder.process.empty());
  }
}

TEST(HandleInventory, FindsTheOtherEndOfAFifoByItsFile) {
  char folder[] = "/tmp/culprit_inventory_XXXXXX";
  ASSERT_NE(mkdtemp(folder), nullptr);
  const std::string path = std::string(folder) + "/fifo";
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  Numbers held;
  const int reader = held.keep(open(path.c_str(), O_RDONLY | O_NONBLOCK));
  const int writer = held.keep(open(path.c_str(), O_WRONLY));
  const HandleInventory inventory = own();
  unlink(path.c_str());
  rmdir(folder);
  EXPECT_EQ(handle_at(inventory, reader).type, handle_type::fifo);
  EXPECT_THAT(values_of(inventory.holders.find(path), inventory.pid), ::testing::ElementsAre(reader, writer));
}

TEST(HandleInventory, FindsTheOtherEndsOfSockets) {
  Numbers held;
  int pair[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
  held.keep(pair[0]);
  held.keep(pair[1]);
  ASSERT_EQ(write(pair[0], "hello", 5), 5);
  const int listener = held.keep(socket(AF_INET, SOCK_STREAM, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  ASSERT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(listen(listener, 5), 0);
  getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length);
  const int client = held.keep(socket(AF_INET, SOCK_STREAM, 0));
  ASSERT_EQ(connect(client, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  const int server = held.keep(accept(listener, nullptr, nullptr));
  ASSERT_EQ(write(client, "hi", 2), 2);
  const int unused = held.keep(socket(AF_INET, SOCK_STREAM, 0));

  const HandleInventory inventory = own();
  auto other_end = [&](int value) {
    return values_of(inventory.holders.find("socket:[" + std::to_string(handle_at(inventory, value).peer_inode) + "]"),
                     inventory.pid);
  };
  EXPECT_THAT(other_end(pair[0]), ::testing::ElementsAre(pair[1]));
  EXPECT_THAT(other_end(client), ::testing::ElementsAre(server));
  EXPECT_THAT(other_end(server), ::testing::ElementsAre(client));
  EXPECT_EQ(handle_at(inventory, pair[1]).unix_socket->receive_queue, 5u);
  EXPECT_EQ(handle_at(inventory, server).socket->receive_queue, 2u);
  EXPECT_EQ(handle_at(inventory, listener).socket->state, "LISTEN");
  EXPECT_EQ(handle_at(inventory, listener).peer_inode, 0u);
  EXPECT_EQ(handle_at(inventory, unused).protocol, "TCP");
}

TEST(HandleInventory, SaysWhichProcessesASearchLeftOut) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  Numbers held;
  held.keep(ends[0]);
  held.keep(ends[1]);
  const HandleInventory inventory = inventory_of(static_cast<uint32_t>(getpid()), {.most_links = 1});
  EXPECT_THAT(values_of(inventory.holders.find(handle_at(inventory, ends[0]).link), inventory.pid),
              ::testing::ElementsAre(ends[0], ends[1]));
  EXPECT_TRUE(
      std::ranges::any_of(inventory.losses, [](const Loss& loss) { return loss.kind == LossKind::search_limit; }));
}

TEST(HandleInventory, TellsAnEndedProcessFromAnEmptyTable) {
  Victim victim([] { return 0; });
  victim.begin();
  ASSERT_EQ(victim.wait_until_done(), 0);
  victim.end();
  siginfo_t info{};
  ASSERT_EQ(waitid(P_PID, victim.pid(), &info, WEXITED | WNOWAIT), 0);
  auto zombie = read_handle_inventory(victim.pid());
  ASSERT_FALSE(zombie);
  EXPECT_EQ(zombie.error().kind, ErrorKind::gone);
  auto nobody = read_handle_inventory(0x3ffffffe);
  ASSERT_FALSE(nobody);
  EXPECT_EQ(nobody.error().kind, ErrorKind::gone);
  EXPECT_THAT(nobody.error().what, ::testing::HasSubstr("no process"));
}

// /proc/PID/fd is empty then, and its state is that of a process which has ended.
TEST(HandleInventory, HasThoseOfAProcessWhoseFirstThreadHasEnded) {
  Victim victim([] {
    std::thread([] {
      for (;;) pause();
    }).detach();
    syscall(SYS_exit, 0);  // as pthread_exit does, without unwinding the test
    return 0;
  });
  victim.begin();
  while (!is_ending(victim.pid(), victim.pid())) sched_yield();
  HandleInventory inventory = inventory_of(victim.pid());
  EXPECT_EQ(handle_at(inventory, 1).link, std::filesystem::read_symlink("/proc/self/fd/1").string());
  EXPECT_TRUE(handle_at(inventory, 1).info);
  EXPECT_FALSE(inventory.command.empty());
}

// The numbers may be listed by who may read any file, what stands behind them is for who may trace the process.
TEST(HandleInventory, IsRefusedWhereTheKernelNamesNumbersAlone) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can have one right and not the other";
  Victim victim([] { return setgid(65534) == 0 && setuid(65534) == 0 ? 0 : -1; });
  victim.begin();
  ASSERT_EQ(victim.wait_until_done(), 0);
  Victim restricted([&] {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct rights[2]{};
    rights[0].effective = rights[0].permitted = CAP_TO_MASK(CAP_DAC_OVERRIDE);
    if (syscall(SYS_capset, &header, rights) != 0) return -1;
    auto inventory = read_handle_inventory(victim.pid());
    return inventory ? 0 : static_cast<int>(inventory.error().kind) + 1;
  });
  restricted.begin();
  EXPECT_EQ(restricted.wait_until_done(), static_cast<int>(ErrorKind::no_access) + 1);
}

TEST(HandleInventory, HasAProcessThatHasNothingOpen) {
  Numbers held;
  int ready[2];
  ASSERT_EQ(pipe2(ready, O_CLOEXEC), 0);
  held.keep(ready[0]);
  const pid_t empty = fork();
  if (empty == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (int number = 0; number < 1024; number++)
      if (number != ready[1]) close(number);
    close(ready[1]);
    for (;;) pause();
  }
  close(ready[1]);
  char byte = 0;
  EXPECT_EQ(read(ready[0], &byte, 1), 0);  // it closed the last one
  auto inventory = read_handle_inventory(static_cast<uint32_t>(empty));
  ASSERT_TRUE(inventory);
  EXPECT_THAT(inventory->handles, IsEmpty());
  kill(empty, SIGKILL);
  waitpid(empty, nullptr, 0);
}

TEST(HandleInventory, CountsHandlesThatWentMeanwhile) {
  Numbers held;
  const int file = open("/dev/null", O_RDONLY), other = held.keep(open("/dev/zero", O_RDONLY));
  auto inventory = read_handle_inventory(static_cast<uint32_t>(getpid()));
  ASSERT_TRUE(inventory);
  close(file);
  const int instead = held.keep(open("/dev/full", O_RDONLY));  // takes the number
  EXPECT_EQ(instead, file);
  std::vector<size_t> chosen;
  for (size_t i = 0; i < inventory->handles.size(); i++)
    if (inventory->handles[i].value == file || inventory->handles[i].value == other) chosen.push_back(i);
  read_handle_details(*inventory, chosen, {});
  EXPECT_FALSE(handle_at(*inventory, file).info);
  EXPECT_TRUE(handle_at(*inventory, other).info);
  ASSERT_EQ(inventory->losses.size(), 1u);
  EXPECT_EQ(inventory->losses[0].kind, LossKind::target_changed);
  EXPECT_EQ(inventory->losses[0].count, 1u);
}

TEST(HandleInventory, SurvivesATableThatNeverStandsStill) {
  Victim victim([] {
    if (fork() == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      for (;;)
        for (int i = 0; i < 50; i++) close(open("/dev/null", O_RDONLY)), dup2(2, 100 + i), close(100 + (i * 7) % 50);
    }
    return 0;
  });
  victim.begin();
  ASSERT_EQ(victim.wait_until_done(), 0);
  const auto children = "/proc/" + std::to_string(victim.pid()) + "/task/" + std::to_string(victim.pid()) + "/children";
  uint32_t busy = 0;
  FILE* file = fopen(children.c_str(), "r");
  ASSERT_NE(file, nullptr);
  ASSERT_EQ(fscanf(file, "%u", &busy), 1);
  fclose(file);
  for (int i = 0; i < 20; i++) {
    HandleInventory inventory = inventory_of(busy);
    EXPECT_GE(inventory.handles.size(), 3u);
    for (const OpenHandle& handle : inventory.handles) EXPECT_FALSE(handle.type.empty());
  }
}

TEST(HandleInventory, HasNamesOfAnyBytesAndOfFullLength) {
  Numbers held;
  char folder[] = "/tmp/culprit_inventory_XXXXXX";
  ASSERT_NE(mkdtemp(folder), nullptr);
  const std::string odd = std::string(folder) + "/a\nb\x1b[31m\x80 (deleted)";
  const int file = held.keep(open(odd.c_str(), O_RDWR | O_CREAT, 0600));
  // Names of 4 KB: folders below each other, reached step by step.
  const int start = held.keep(open(".", O_RDONLY | O_DIRECTORY));
  ASSERT_EQ(chdir(folder), 0);
  const std::string part(200, 'd');
  int depth = 0;
  for (; depth < 19; depth++) ASSERT_EQ(mkdir(part.c_str(), 0700) | chdir(part.c_str()), 0);
  const int deep = held.keep(open(".", O_RDONLY | O_DIRECTORY));
  const HandleInventory inventory = own();
  for (; depth > 0; depth--) {
    if (chdir("..") == 0) rmdir(part.c_str());
  }
  ASSERT_EQ(fchdir(start), 0);
  unlink(odd.c_str());
  rmdir(folder);
  EXPECT_EQ(handle_at(inventory, deep).name.size(), std::string(folder).size() + 19 * (part.size() + 1));
  EXPECT_TRUE(handle_at(inventory, deep).info);
  // The kernel writes a newline in a link as it is.
  EXPECT_TRUE(handle_at(inventory, file).link.starts_with(std::string(folder) + "/a\nb\x1b[31m\x80"));
}

TEST(HandleInventory, SaysThatAnotherUsersHandlesMayNotBeRead) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can become somebody else";
  Victim victim([] { return 0; });
  victim.begin();
  ASSERT_EQ(victim.wait_until_done(), 0);
  Victim stranger([&] {
    if (setgid(65534) != 0 || setuid(65534) != 0) return -1;
    auto inventory = read_handle_inventory(victim.pid());
    return inventory ? 0 : static_cast<int>(inventory.error().kind) + 1;
  });
  stranger.begin();
  EXPECT_EQ(stranger.wait_until_done(), static_cast<int>(ErrorKind::no_access) + 1);
}

TEST(HandleInventory, ReadsSocketsOfAnotherNetworkNamespace) {
  Victim victim([] {
    if (unshare(CLONE_NEWNET) != 0) return -1;
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) return -1;
    return pair[0] * 1000 + pair[1];
  });
  victim.begin();
  const int both = victim.wait_until_done();
  if (both < 0) GTEST_SKIP() << "no namespaces for us here";
  const HandleInventory inventory = inventory_of(victim.pid());
  EXPECT_TRUE(inventory.other_network);
  const OpenHandle first = handle_at(inventory, both / 1000), second = handle_at(inventory, both % 1000);
  EXPECT_EQ(first.name, "unix stream");
  EXPECT_EQ(first.peer_inode, second.inode);
  EXPECT_TRUE(
      std::ranges::none_of(inventory.losses, [](const Loss& loss) { return loss.kind == LossKind::kernel_silent; }));
}

}  // namespace
}  // namespace culprit
