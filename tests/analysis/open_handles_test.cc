// What is carried over must do in place of the events that made it: from any moment on, everything must come out as if
// all events were still there.
#include "analysis/open_handles.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

namespace culprit {
namespace {

using Event = std::variant<HandleEvent, ProcessEvent, HandleSnapshot>;
Time time_of(const Event& event) {
  struct Visitor {
    Time operator()(const HandleEvent& event) const { return event.time; }
    Time operator()(const ProcessEvent& event) const { return event.time; }
    Time operator()(const HandleSnapshot& event) const { return event.begin; }
  };
  return std::visit(Visitor{}, event);
}
void send(const Event& event, EventSink& sink) {
  if (auto* handle = std::get_if<HandleEvent>(&event)) return sink.on_handle(*handle);
  if (auto* process = std::get_if<ProcessEvent>(&event)) return sink.on_process(*process);
  sink.on_snapshot(std::get<HandleSnapshot>(event));
}

// Some processes that open, duplicate, close, fork, share, execute and end at random, and what a recorder tells of
// them.
class RandomMachine {
 public:
  explicit RandomMachine(uint64_t seed) : random_(seed) {
    type_ = tables.intern("file");
    for (int i = 0; i < 3; ++i) launch();
  }
  TraceTables tables;
  std::vector<Event> events;  // in order of time

  void step() {
    now_ += 1'000'000 + static_cast<Time>(random_() % 3'000'000);
    if (living_.empty()) return launch();
    auto at = std::next(living_.begin(), static_cast<ptrdiff_t>(random_() % living_.size()));
    ProcessId process = at->first;
    auto& table = *at->second;
    switch (random_() % 40) {
      case 0:
        return fork(process, random_() % 3 == 0);
      case 1:
        return exec(process);
      case 2:
        return living_.size() > 2 ? end(process) : launch();
      case 3:
      case 4:
        return snapshot(process, SnapshotReason::periodic);
      case 5:
        return close_range(process, 5, 9);
      default:
        break;
    }
    if (!table.empty() && random_() % 2 == 0) return close(process, pick(table));
    open(process, lowest_free(table), HandleAction::open, -1);
    if (random_() % 5 == 0) duplicate(process);
  }

 private:
  using Table = std::map<int64_t, uint64_t>;  // value to inode

  int64_t pick(const Table& table) {
    return std::next(table.begin(), static_cast<ptrdiff_t>(random_() % table.size()))->first;
  }
  static int64_t lowest_free(const Table& table) {
    int64_t value = 0;
    while (table.contains(value)) ++value;
    return value;
  }
  HandleEvent event_of(ProcessId process, int64_t value, HandleAction action, std::string_view call) {
    return {.time = now_,
            .value = value,
            .process = process,
            .tid = tables.process(process).pid,
            .stack = tables.stacks.intern(StackId::none, {ModuleId::none, random_() % 50}),
            .call = tables.intern(call),
            .action = action};
  }
  void open(ProcessId process, int64_t value, HandleAction action, int64_t other) {
    HandleEvent event = event_of(process, value, action, action == HandleAction::duplicate ? "dup2" : "openat");
    event.other = other;
    if (action == HandleAction::open) event.type = type_;
    events.push_back(event);
    (*living_[process])[value] = other >= 0 ? (*living_[process])[other] : ++last_inode_;
  }
  void duplicate(ProcessId process) {
    int64_t from = pick(*living_[process]), to = static_cast<int64_t>(random_() % 12);
    now_ += 1000;
    if (from != to) open(process, to, HandleAction::duplicate, from);
  }
  void close(ProcessId process, int64_t value) {
    events.push_back(event_of(process, value, HandleAction::close, "close"));
    living_[process]->erase(value);
  }
  void close_range(ProcessId process, int64_t first, int64_t last) {
    HandleEvent event = event_of(process, first, HandleAction::close_range, "close_range");
    event.other = last;
    events.push_back(event);
    std::erase_if(*living_[process], [&](const auto& entry) { return entry.first >= first && entry.first <= last; });
  }
  ProcessId new_process(ProcessId parent) {
    tables.processes.push_back({.parent = parent, .pid = 100 + static_cast<uint32_t>(tables.processes.size())});
    return id_at<ProcessId>(tables.processes.size() - 1);
  }
  void launch() {
    ProcessId process = new_process(ProcessId::none);
    living_[process] = std::make_shared<Table>();
    for (int64_t value = 0; value < 3; ++value) (*living_[process])[value] = ++last_inode_;
    events.push_back(ProcessEvent{.time = now_, .process = process, .handle_limit = 1024});
    snapshot(process, SnapshotReason::start);
  }
  void fork(ProcessId parent, bool shares) {
    ProcessId child = new_process(parent);
    living_[child] = shares ? living_[parent] : std::make_shared<Table>(*living_[parent]);
    events.push_back(ProcessEvent{.time = now_,
                                  .process = child,
                                  .parent = parent,
                                  .change = shares ? ProcessChange::forked_sharing : ProcessChange::forked});
  }
  void exec(ProcessId process) {
    auto copy = std::make_shared<Table>(*living_[process]);
    std::erase_if(*copy, [](const auto& entry) { return entry.first % 4 == 3; });  // close-on-exec
    living_[process] = copy;
    events.push_back(ProcessEvent{.time = now_, .process = process, .change = ProcessChange::executed});
    snapshot(process, SnapshotReason::exec);
  }
  void end(ProcessId process) {
    events.push_back(ProcessEvent{.time = now_, .process = process, .change = ProcessChange::exited});
    living_.erase(process);
  }
  void snapshot(ProcessId process, SnapshotReason reason) {
    HandleSnapshot snapshot{.begin = now_ + 1000, .end = now_ + 200'000, .process = process, .reason = reason};
    for (auto [value, inode] : *living_[process]) {
      snapshot.entries.push_back({value, type_, StringId::none, inode});
    }
    // Now and then something that no call is known of.
    if (random_() % 4 == 0) {
      (*living_[process])[++last_secret_] = ++last_inode_;
      snapshot.entries.push_back({last_secret_, type_, StringId::none, last_inode_});
    }
    events.push_back(snapshot);
    now_ += 300'000;
  }

  std::mt19937_64 random_;
  Time now_ = 1'000'000'000;
  std::map<ProcessId, std::shared_ptr<Table>> living_;
  uint64_t last_inode_ = 100;
  int64_t last_secret_ = 100;
  StringId type_;
};

// Lives as text, those that ended after a moment.
struct Lives : HandleLifeSink {
  explicit Lives(Time after) : after_(after) {}
  void on_life(const HandleLife& life) override {
    if (life.closed <= after_) return;
    lines.insert(fmt::format(
        "{} of {}: made {} created {} by {} how {} stack {} call {} type {} inode {} closed {} how {} by {}",
        life.value, index_of(life.owning), life.made, life.created, index_of(life.creating),
        static_cast<int>(life.how_created), index_of(life.created_stack), index_of(life.created_call),
        index_of(life.type), life.inode, life.closed, static_cast<int>(life.how_closed), index_of(life.closing)));
  }
  std::multiset<std::string> lines;
  Time after_;
};

std::string only_in(const std::multiset<std::string>& these, const std::multiset<std::string>& those) {
  std::vector<std::string> only;
  std::set_difference(these.begin(), these.end(), those.begin(), those.end(), std::back_inserter(only));
  return fmt::format("{}", fmt::join(only, "\n"));
}

// As recorders hand events on: late by up to so much, each process's in order.
std::vector<Event> as_recorded(const std::vector<Event>& events, std::mt19937_64& random) {
  std::vector<std::pair<Time, size_t>> order;
  for (size_t i = 0; i < events.size(); ++i)
    order.emplace_back(time_of(events[i]) + static_cast<Time>(random() % 40'000'000), i);
  std::sort(order.begin(), order.end());
  std::vector<Event> recorded;
  for (auto [late, i] : order) recorded.push_back(events[i]);
  return recorded;
}

// From a moment on: the carried tables and what came later.
struct Cut {
  OpenHandles::Moment moment;
  std::vector<CarriedTable> tables;
  size_t recorded = 0;  // events before it
};

void expect_same(RandomMachine& machine, const std::vector<Event>& recorded, const Cut& cut) {
  const Time end = time_of(machine.events.back()) + 1'000'000'000;
  Lives all(cut.moment.as_of), window(cut.moment.as_of);
  HandleLifetimes whole(machine.tables, all);
  for (const Event& event : machine.events) send(event, whole);
  whole.finish(end);

  std::vector<Event> rest;
  for (size_t i = 0; i < recorded.size(); ++i) {
    if (i >= cut.recorded || time_of(recorded[i]) > cut.moment.as_of) rest.push_back(recorded[i]);
  }
  std::stable_sort(rest.begin(), rest.end(), [](const Event& a, const Event& b) { return time_of(a) < time_of(b); });
  HandleLifetimes part(machine.tables, window);
  for (const CarriedTable& table : cut.tables) part.on_carried(table);
  for (const Event& event : rest) send(event, part);
  part.finish(end);

  EXPECT_EQ(only_in(window.lines, all.lines), "") << "from " << cut.moment.as_of;
  EXPECT_EQ(only_in(all.lines, window.lines), "") << "from " << cut.moment.as_of;
  EXPECT_EQ(cut.moment.events + rest.size(), recorded.size());
  std::set<ProcessId> carried;
  for (const CarriedTable& table : cut.tables) {
    for (const CarriedProcess& process : table.processes) carried.insert(process.process);
  }
  for (ProcessId process : carried) {
    const ProcessFacts &a = whole.processes()[index_of(process)], &b = part.processes()[index_of(process)];
    EXPECT_EQ(std::tie(a.start, a.stop, a.created, a.inherited, a.closed, a.failed_closes, a.open_at_end, a.parent),
              std::tie(b.start, b.stop, b.created, b.inherited, b.closed, b.failed_closes, b.open_at_end, b.parent));
  }
}

TEST(OpenHandles, CarriedOverAreAsGoodAsTheEventsThatMadeThem) {
  int cuts = 0;
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    std::mt19937_64 random(seed);
    RandomMachine machine(seed);
    for (int i = 0; i < 1500; ++i) machine.step();
    std::vector<Event> recorded = as_recorded(machine.events, random);
    OpenHandles open(machine.tables, {.held_back = 100'000'000});
    for (size_t i = 0; i < recorded.size(); ++i) {
      send(recorded[i], open);
      if (i % 400 != 399) continue;
      Cut cut;
      auto moment = open.settle(false);
      if (!moment) continue;
      cut.moment = *moment;
      cut.recorded = i + 1;
      open.send_tables([&](const CarriedTable& table) { cut.tables.push_back(table); });
      expect_same(machine, recorded, cut);
      ++cuts;
    }
  }
  EXPECT_GT(cuts, 60);
}

TEST(OpenHandles, StayWithinTheirMemoryAndCountWhatItCosts) {
  TraceTables tables;
  tables.processes.push_back({.pid = 100});
  OpenHandles open(tables, {.held_events = 100, .table_bytes = 200'000});
  for (int64_t value = 0; value < 10'000; ++value)
    open.on_handle({.time = 1000 + value, .value = value, .process = id_at<ProcessId>(1)});
  ASSERT_TRUE(open.settle(true));
  size_t carried = 0;
  open.send_tables([&](const CarriedTable& table) { carried += table.handles.size(); });
  EXPECT_LT(carried, 2000u);
  EXPECT_GT(carried, 500u);
  EXPECT_GT(open.refused(), 7000u);
}

TEST(OpenHandles, WaitForASnapshotThatIsBeingSettled) {
  TraceTables tables;
  tables.processes.push_back({.pid = 100});
  auto process = id_at<ProcessId>(1);
  OpenHandles open(tables, {.held_back = 0});
  open.on_process({.time = 1000, .process = process});
  HandleSnapshot snapshot{.begin = 2000, .end = 9000, .process = process, .reason = SnapshotReason::start};
  snapshot.entries = {{0, tables.intern("file"), StringId::none, 5}};
  open.on_snapshot(snapshot);
  EXPECT_FALSE(open.settle(false));
  open.on_handle({.time = 1'000'000'000, .value = 3, .process = process});
  auto moment = open.settle(false);
  ASSERT_TRUE(moment);
  size_t existing = 0;
  open.send_tables([&](const CarriedTable& table) {
    for (const CarriedHandle& handle : table.handles) existing += handle.how == HowCreated::existing ? 1 : 0;
  });
  EXPECT_EQ(existing, 1u);
}

}  // namespace
}  // namespace culprit
