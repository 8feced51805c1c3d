#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <unistd.h>

#include "analysis/inventory_groups.h"
#include "analysis/inventory_report.h"
#include "model/handle_event.h"

namespace culprit {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

OpenHandle named(int64_t value, std::string_view type, const std::string& name) {
  OpenHandle handle;
  handle.value = value;
  handle.type = type;
  handle.name = name;
  return handle;
}

OpenHandle connection(int64_t value, const std::string& local, const std::string& remote) {
  OpenHandle handle = named(value, handle_type::socket, "");
  handle.socket = SocketRow{.table = "tcp", .local = local, .remote = remote, .state = "CLOSE_WAIT"};
  handle.name = name_of(*handle.socket);
  return handle;
}

GroupedHandles grouped(const std::vector<OpenHandle>& handles, size_t readable = 100) {
  std::vector<size_t> chosen(handles.size());
  for (size_t i = 0; i < chosen.size(); i++) chosen[i] = i;
  return group_handles(handles, chosen, readable);
}

TEST(InventoryGroups, TellHandlesOfOneNameTogether) {
  std::vector<OpenHandle> handles;
  for (int i = 0; i < 12; i++) handles.push_back(named(i < 10 ? i : i + 5, handle_type::file, "/tmp/x"));
  handles.push_back(named(90, handle_type::file, "/tmp/y"));
  GroupedHandles found = grouped(handles);
  ASSERT_EQ(found.groups.size(), 1u);
  EXPECT_EQ(found.groups[0].count, 12u);
  EXPECT_EQ(found.groups[0].name, "/tmp/x");
  EXPECT_THAT(found.groups[0].values, ElementsAre(Pair(0, 9), Pair(15, 16)));
  EXPECT_EQ(found.groups[0].example, 0);
  EXPECT_THAT(found.alone, ElementsAre(12u));
}

TEST(InventoryGroups, LeaveAFewAlone) {
  std::vector<OpenHandle> handles;
  for (int i = 0; i < 9; i++) handles.push_back(named(i, handle_type::file, "/tmp/x"));
  EXPECT_THAT(grouped(handles).groups, IsEmpty());
  EXPECT_EQ(grouped(handles).alone.size(), 9u);
}

TEST(InventoryGroups, FindTheServerThatConnectionsAreLeakedTo) {
  std::vector<OpenHandle> handles;
  for (int i = 0; i < 15; i++)
    handles.push_back(connection(i, "10.0.0.1:" + std::to_string(40000 + i), "10.0.0.9:5432"));
  for (int i = 20; i < 32; i++)
    handles.push_back(connection(i, "10.0.0.1:80", "10.0.0.7:" + std::to_string(50000 + i)));
  GroupedHandles found = grouped(handles);
  ASSERT_EQ(found.groups.size(), 2u);
  EXPECT_EQ(found.groups[0].name, "tcp * -> 10.0.0.9:5432 CLOSE_WAIT");
  EXPECT_EQ(found.groups[0].count, 15u);
  EXPECT_EQ(found.groups[1].name, "tcp 10.0.0.1:80 -> * CLOSE_WAIT");
}

TEST(InventoryGroups, TellFilesOfOneFolderTogetherOnlyWhereThereAreTooMany) {
  std::vector<OpenHandle> handles;
  for (int i = 0; i < 30; i++) handles.push_back(named(i, handle_type::file, "/var/cache/" + std::to_string(i)));
  for (int i = 30; i < 50; i++) handles.push_back(named(i, handle_type::pipe, ""));
  for (size_t i = 0; i < 10; i++) handles[i].is_deleted = true, handles[i].allocated = 4096;
  EXPECT_THAT(grouped(handles).groups, IsEmpty());
  GroupedHandles found = grouped(handles, 20);
  ASSERT_EQ(found.groups.size(), 3u);
  EXPECT_EQ(found.groups[0].name, "/var/cache/*");
  EXPECT_EQ(found.groups[0].count, 20u);
  EXPECT_EQ(found.groups[1].type, "pipe");
  EXPECT_EQ(found.groups[1].name, "");
  EXPECT_EQ(found.groups[2].name, "/var/cache/* (deleted)");
  EXPECT_EQ(found.groups[2].allocated, 40960u);
  EXPECT_THAT(found.alone, IsEmpty());
}

// What a test opens, closed at its end.
struct Opened {
  ~Opened() {
    for (int number : numbers) close(number);
  }
  int keep(int number) {
    EXPECT_GE(number, 0);
    return numbers.emplace_back(number);
  }
  std::vector<int> numbers;
};

InventoryReport report_of(const InventoryOptions& options) {
  auto report = build_inventory_report(static_cast<uint32_t>(getpid()), options);
  EXPECT_TRUE(report) << report.error().what;
  return report ? std::move(*report) : InventoryReport{};
}

TEST(InventoryReport, FoldsManyOfAKindAndShowsOneOfThem) {
  Opened opened;
  for (int i = 0; i < 40; i++) opened.keep(open("/dev/full", O_RDONLY));
  InventoryReport report = report_of({});
  ASSERT_FALSE(report.groups.empty());
  EXPECT_EQ(report.groups[0].name, "/dev/full");
  EXPECT_EQ(report.groups[0].count, 40u);
  uint64_t shown = 0;
  for (const InventoryHandle& handle : report.handles) shown += handle.handle.name == "/dev/full" ? 1 : 0;
  EXPECT_EQ(shown, 1u);
  EXPECT_EQ(report_of({.each = true, .top = 0}).handles.size(), report.open);
  EXPECT_TRUE(report_of({.counts_only = true}).handles.empty());
}

TEST(InventoryReport, ShowsOnlyTheTypesAskedFor) {
  Opened opened;
  opened.keep(epoll_create1(0));
  opened.keep(open("/dev/null", O_RDONLY));
  InventoryReport report = report_of({.types = {"epoll", "perf_event"}});
  ASSERT_EQ(report.chosen, report.handles.size());
  for (const InventoryHandle& handle : report.handles) EXPECT_EQ(handle.handle.type, handle_type::epoll);
  EXPECT_GT(report.open, report.chosen);
}

TEST(InventoryReport, SaysHowManyItDidNotList) {
  Opened opened;
  for (const char* name : {"/etc", "/tmp", "/usr", "/"}) opened.keep(open(name, O_RDONLY));
  InventoryReport report = report_of({.types = {"directory"}, .top = 1});
  EXPECT_EQ(report.handles.size(), 1u);
  EXPECT_EQ(report.handles_left_out, report.chosen - 1);
}

TEST(InventoryReport, OneHandleHasItsDuplicates) {
  Opened opened;
  const int file = opened.keep(open("/dev/zero", O_RDONLY)), copy = opened.keep(dup(file));
  opened.keep(open("/dev/zero", O_RDONLY));  // another object on the same file
  InventoryReport report = report_of({.value = file});
  ASSERT_EQ(report.handles.size(), 1u);
  if (report.handles[0].were_duplicates_sought) {
    EXPECT_THAT(report.handles[0].duplicates, ElementsAre(copy));
  }
  auto missing = build_inventory_report(static_cast<uint32_t>(getpid()), {.value = 1'000'000});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().kind, ErrorKind::not_found);
}

TEST(InventoryReport, KnowsWhichWatchesOfAnEpollAreStale) {
  Opened opened;
  const int queue = opened.keep(epoll_create1(0));
  int ends[2], others[2];
  ASSERT_EQ(pipe(ends), 0);
  opened.keep(ends[0]);
  opened.keep(ends[1]);
  const int gone = dup(ends[0]), reused = dup(ends[0]);
  epoll_event wish{.events = EPOLLIN, .data = {}};
  for (int number : {ends[0], gone, reused}) ASSERT_EQ(epoll_ctl(queue, EPOLL_CTL_ADD, number, &wish), 0);
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, others), 0);
  opened.keep(others[1]);
  ASSERT_EQ(dup2(opened.keep(others[0]), reused), reused);
  opened.keep(reused);
  close(gone);
  InventoryReport report = report_of({.value = queue});
  std::vector<std::pair<int64_t, WatchedHandle::State>> states;
  for (const WatchedHandle& watched : report.handles[0].watches)
    states.emplace_back(watched.watch.value, watched.state);
  EXPECT_THAT(states, ::testing::UnorderedElementsAre(Pair(ends[0], WatchedHandle::State::open),
                                                      Pair(gone, WatchedHandle::State::closed),
                                                      Pair(reused, WatchedHandle::State::other)));
}

TEST(InventoryReport, TellsThisEndOfAPipeFromTheOther) {
  Opened opened;
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  opened.keep(ends[0]);
  opened.keep(ends[1]);
  const int copy = opened.keep(dup(ends[1]));
  InventoryReport report = report_of({.value = ends[1]});
  const InventoryHandle& handle = report.handles[0];
  EXPECT_TRUE(handle.has_other_end);
  ASSERT_EQ(handle.other_end.size(), 1u);
  EXPECT_EQ(handle.other_end[0].value, ends[0]);
  ASSERT_EQ(handle.same_end.size(), 1u);
  EXPECT_EQ(handle.same_end[0].value, copy);
}

// A core of which only the mappings matter.
class MappingsOnly : public Target {
 public:
  explicit MappingsOnly(std::vector<TargetMapping> mappings) : mappings_(std::move(mappings)) {}
  const TargetInfo& info() const override { return info_; }
  Result<std::vector<TargetThread>> threads(ThreadWish) override { return std::vector<TargetThread>{}; }
  MemoryReader& stack_memory(const TargetThread&) override { return memory_; }
  MemoryReader& memory() override { return memory_; }
  const std::vector<TargetMapping>& mappings() override { return mappings_; }
  const std::vector<TargetModule>& modules() override { return modules_; }

 private:
  class NoMemory : public MemoryReader {
   public:
    bool read(uint64_t, std::span<std::byte>) override { return false; }
  };
  TargetInfo info_{.kind = TargetKind::core, .name = "core", .pid = 12};
  std::vector<TargetMapping> mappings_;
  std::vector<TargetModule> modules_;
  NoMemory memory_;
};

TEST(MappedFiles, AreAllThatACoreKnowsOfHandles) {
  MappingsOnly core({{.start = 0x1000, .end = 0x2000, .path = "/usr/bin/server", .is_readable = true},
                     {.start = 0x2000, .end = 0x5000, .path = "/usr/bin/server", .is_writable = true},
                     {.start = 0x6000, .end = 0x7000, .path = "[stack]"},
                     {.start = 0x7000, .end = 0x8000, .path = "/dev/shm/x", .is_shared = true, .is_deleted = true}});
  const MappedFiles files = mapped_files_of(core);
  ASSERT_EQ(files.files.size(), 2u);
  EXPECT_EQ(files.files[0].path, "/dev/shm/x");
  EXPECT_TRUE(files.files[0].is_shared && files.files[0].is_deleted);
  EXPECT_EQ(files.files[1].bytes, 0x4000u);
  EXPECT_EQ(files.files[1].mappings, 2u);
  EXPECT_TRUE(files.exact);
}

}  // namespace
}  // namespace culprit
