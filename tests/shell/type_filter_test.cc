#include "shell/type_filter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/event_log.h"

namespace culprit {
namespace {

using ::testing::ElementsAre;

class Filtered : public ::testing::Test, public EventSink {
 protected:
  Filtered() {
    tables_.processes.push_back({.pid = 1});
    tables_.processes.push_back({.pid = 2});
  }
  void on_handle(const HandleEvent& event) override {
    constexpr std::string_view actions[] = {"open", "duplicate", "receive", "close", "close_range"};
    seen_.push_back(std::string(actions[static_cast<size_t>(event.action)]) + " " + std::to_string(event.value) +
                    " of " + std::to_string(index_of(event.process)));
  }
  void on_process(const ProcessEvent&) override {}
  void on_thread(const ThreadEvent&) override {}
  void on_snapshot(const HandleSnapshot& snapshot) override {
    for (const SnapshotEntry& entry : snapshot.entries) seen_.push_back("there " + std::to_string(entry.value));
  }
  void on_mark(const Mark&) override {}
  void on_loss(const Loss&) override {}

  void send(HandleAction action, int64_t value, std::string_view type = "", int64_t other = -1, uint32_t process = 1) {
    filter_.on_handle({.value = value,
                       .other = other,
                       .process = id_at<ProcessId>(process),
                       .type = tables_.intern(type),
                       .action = action});
  }

  TraceTables tables_;
  std::vector<std::string> seen_;
  TypeFilter filter_{tables_, {"socket", "perf_event"}, *this};
};

TEST_F(Filtered, LetsOnlyTheWantedTypesThroughFromOpenToClose) {
  send(HandleAction::open, 3, "file");
  send(HandleAction::open, 4, "socket");
  send(HandleAction::open, 5, "perf event");
  send(HandleAction::close, 3);
  send(HandleAction::close, 4);
  send(HandleAction::open, 3, "socket");
  send(HandleAction::close, 3);
  send(HandleAction::receive, 6);  // of what type is not known
  EXPECT_THAT(seen_, ElementsAre("open 4 of 1", "open 5 of 1", "close 4 of 1", "open 3 of 1", "close 3 of 1",
                                 "receive 6 of 1"));
}

TEST_F(Filtered, KnowsWhatADuplicateIsOf) {
  send(HandleAction::open, 3, "file");
  send(HandleAction::open, 4, "socket");
  send(HandleAction::duplicate, 7, "", 3);
  send(HandleAction::close, 7);
  send(HandleAction::duplicate, 8, "", 4);
  send(HandleAction::duplicate, 8, "", 3);  // ends the socket
  send(HandleAction::close, 8);
  EXPECT_THAT(seen_, ElementsAre("open 4 of 1", "duplicate 8 of 1", "close 8 of 1"));
}

TEST_F(Filtered, FollowsForksAndSnapshots) {
  send(HandleAction::open, 3, "file");
  filter_.on_process({.process = id_at<ProcessId>(2), .parent = id_at<ProcessId>(1), .change = ProcessChange::forked});
  send(HandleAction::close, 3, "", -1, 2);
  send(HandleAction::close, 3, "", -1, 2);  // of what came after: not known, so it is handed on
  HandleSnapshot snapshot{.process = id_at<ProcessId>(2), .entries = {}};
  snapshot.entries = {{0, tables_.intern("terminal"), StringId::none, 1},
                      {1, tables_.intern("socket"), StringId::none, 2}};
  filter_.on_snapshot(snapshot);
  send(HandleAction::close, 0, "", -1, 2);
  EXPECT_THAT(seen_, ElementsAre("close 3 of 2", "there 1"));
}

}  // namespace
}  // namespace culprit
