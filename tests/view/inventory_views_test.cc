#include "view/inventory_views.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/epoll.h>
#include <sys/inotify.h>

#include <csignal>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/text.h"
#include "model/handle_event.h"
#include "view/inventory_words.h"

namespace culprit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

InventoryHandle handle_with(std::string_view type, const std::string& name, const std::string& fdinfo) {
  InventoryHandle handle;
  handle.handle.value = 7;
  handle.handle.type = type;
  handle.handle.name = name;
  handle.handle.link = name;
  handle.handle.info = parse_fdinfo(fdinfo);
  handle.were_holders_sought = true;
  return handle;
}

InventoryReport report_with(std::vector<InventoryHandle> handles) {
  InventoryReport report;
  report.pid = 12;
  report.process = "server";
  report.limit = {1024, unlimited};
  report.open = report.chosen = handles.size();
  report.types = {{"file", handles.size()}};
  report.handles = std::move(handles);
  return report;
}

TEST(InventoryWords, SayFlagsAsPeopleDo) {
  EXPECT_THAT(flag_words(handle_with(handle_type::file, "/x", "flags:\t02102001\n").handle),
              ElementsAre("write", "append", "close-on-exec"));
  EXPECT_THAT(flag_words(handle_with(handle_type::file, "/x", "flags:\t04010002\n").handle),
              ElementsAre("read-write", "sync"));
  EXPECT_THAT(flag_words(handle_with(handle_type::file, "/x", "flags:\t012000000\n").handle),
              ElementsAre("path only", "close-on-exec"));
  EXPECT_THAT(flag_words(handle_with(handle_type::socket, "tcp", "flags:\t04002\n").handle), ElementsAre("nonblock"));
  EXPECT_THAT(epoll_words(EPOLLIN | EPOLLET), ElementsAre("in", "edge"));
  EXPECT_THAT(inotify_words(IN_MODIFY | IN_CREATE), ElementsAre("modify", "create"));
  EXPECT_THAT(signal_words((1u << (SIGINT - 1)) | (1ull << 35)), ElementsAre("INT", "RTMIN+2"));
}

TEST(InventoryWords, TellWhatIsInKernelObjects) {
  EXPECT_THAT(detail_phrases(handle_with(handle_type::eventfd, "", "eventfd-count: ff\neventfd-semaphore: 1\n"), 12),
              ElementsAre("count 255, a semaphore"));
  EXPECT_THAT(detail_phrases(handle_with(handle_type::timerfd, "",
                                         "clockid: 1\nticks: 2\nit_value: (0, 50000000)\nit_interval: (2, 0)\n"),
                             12),
              ElementsAre("monotonic, fires in 50 ms, then every 2.0 s, fired 2 times unread"));
  EXPECT_THAT(detail_phrases(handle_with(handle_type::timerfd, "", "clockid: 0\n"), 12),
              ElementsAre("real time, not armed"));
  EXPECT_THAT(detail_phrases(handle_with(handle_type::pidfd, "", "Pid:\t-1\n"), 12),
              ElementsAre("of a process that has ended"));
  InventoryHandle child = handle_with(handle_type::pidfd, "", "Pid:\t33\n");
  child.handle.process = "worker";
  child.handle.process_state = 'Z';
  EXPECT_THAT(detail_phrases(child, 12), ElementsAre("of worker (33), which has ended and was not waited for"));
}

TEST(InventoryWords, TellWhoHasTheOtherEnd) {
  InventoryHandle pipe = handle_with(handle_type::pipe, "", "flags:\t01\n");
  pipe.has_other_end = true;
  EXPECT_THAT(detail_phrases(pipe, 12), ElementsAre("read by nobody that can be seen"));
  pipe.other_end = {{12, "server", 9, true, false}, {40, "worker", 3, true, false}, {40, "worker", 4, true, false}};
  pipe.same_end = {{41, "child", 7, false, true}};
  EXPECT_THAT(detail_phrases(pipe, 12),
              ElementsAre("read by its own 9 and 3, 4 of worker (40)", "this end also: 7 of child (41)"));
}

TEST(InventoryWords, TellLocksAndWhoWaitsForThem) {
  InventoryHandle file =
      handle_with(handle_type::file, "/x", "flags:\t0\nlock:\t1: POSIX ADVISORY WRITE 12 8:1:5 0 EOF\n");
  file.locks = {{file.handle.info->locks[0], {{40, "worker"}, {0, ""}}}};
  EXPECT_THAT(detail_phrases(file, 12),
              ElementsAre("at its end, 0 B", "holds a write fcntl lock, for which worker (40) and somebody wait"));
  file.locks[0].lock.start = 10;
  file.locks[0].lock.end = 14;
  file.locks[0].waiting.clear();
  EXPECT_THAT(detail_phrases(file, 12)[1], "holds a write fcntl lock on bytes 10 to 14");
}

TEST(InventoryText, FitsTheColumnsAndHarmsNoTerminal) {
  InventoryHandle odd = handle_with(handle_type::file, "/tmp/\x1b[31m\n" + std::string(4000, 'x'), "flags:\t0\n");
  InventoryReport report = report_with({odd, handle_with(handle_type::eventfd, "", "eventfd-count: 1\n")});
  report.groups = {{.type = "socket",
                    .name = "tcp * -> 10.0.0.1:5432 CLOSE_WAIT",
                    .count = 5000,
                    .values = {{8, 5006}, {6000, 6000}},
                    .example = 77}};
  const std::string text = inventory_as_text(report, {}, {});
  EXPECT_THAT(text, HasSubstr("server (pid 12) has 2 handles open, 0 % of its limit of 1,024 (hard\n"));
  EXPECT_THAT(text, HasSubstr("5,000  socket         tcp * -> 10.0.0.1:5432 CLOSE_WAIT: 8-5006, 6000"));
  EXPECT_THAT(text, Not(HasSubstr("\x1b")));
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(display_width(line), 80u) << line;
}

TEST(InventoryText, SaysWhatItIsNotSureOf) {
  InventoryReport report = report_with({});
  report.losses = {{LossKind::process_not_readable, 3, {}}};
  report.exact = false;
  report.other_mounts = true;
  const std::string text = inventory_as_text(report, {}, {});
  EXPECT_THAT(text, HasSubstr("partial, because"));
  EXPECT_THAT(text, HasSubstr("mount namespace"));
}

TEST(InventoryText, ShowsOneHandleInFull) {
  InventoryHandle map = handle_with(handle_type::bpf, "bpf-map", "flags:\t02000002\nmap_type:\t2\nkey_size:\t4\n");
  map.were_duplicates_sought = true;
  map.duplicates = {9};
  const std::string text = handle_in_full(report_with({map}), {});
  EXPECT_THAT(text, HasSubstr("culprit: handle 7 of server (pid 12)"));
  EXPECT_THAT(text, HasSubstr("duplicates  9\n"));
  EXPECT_THAT(text, HasSubstr("map_type: 2\n"));
}

TEST(InventoryJson, HasTheTrueNamesAndOnlyWhatIsKnown) {
  InventoryHandle odd = handle_with(handle_type::file, "/tmp/\x1b\xff", "flags:\t02000000\npos:\t5\n");
  InventoryHandle gone = handle_with(handle_type::pipe, "", "");
  gone.handle.info.reset();
  auto json = nlohmann::json::parse(inventory_as_json(report_with({odd, gone}), "12"));
  EXPECT_EQ(json["schema"], 1);
  EXPECT_EQ(json["open"], 2);
  EXPECT_EQ(json["limit"]["soft"], 1024);
  EXPECT_TRUE(json["limit"]["hard"].is_null());
  EXPECT_EQ(json["handles"][0]["name"], "/tmp/\x1b\xef\xbf\xbd");
  EXPECT_EQ(json["handles"][0]["flags"], nlohmann::json({"read", "close-on-exec"}));
  EXPECT_EQ(json["handles"][0]["position"], 5);
  EXPECT_TRUE(json["handles"][0]["other_end"].is_null());
  EXPECT_FALSE(json["handles"][1]["details"]);
  EXPECT_FALSE(json["handles"][1].contains("flags"));
}

TEST(InventoryCsv, HasARowForEachHandle) {
  const std::string csv = inventory_as_csv(report_with({handle_with(handle_type::eventfd, "", "eventfd-count: 3\n")}));
  EXPECT_EQ(csv,
            "value,type,name,flags,position,size,allocated,deleted,details\n"
            "7,eventfd,,,0,0,0,no,count 3\n");
}

TEST(MappedFilesText, SaysThatACoreHasNoHandles) {
  MappedFiles files{
      .process = "server", .pid = 12, .files = {{.path = "/usr/bin/server", .bytes = 4096}}, .losses = {}};
  EXPECT_THAT(mapped_files_as_text(files, {}), HasSubstr("a core does not have the handles of its process"));
  auto json = nlohmann::json::parse(mapped_files_as_json(files, "core"));
  EXPECT_TRUE(json["handles"].is_null());
  EXPECT_EQ(json["mapped_files"][0]["path"], "/usr/bin/server");
}

}  // namespace
}  // namespace culprit
