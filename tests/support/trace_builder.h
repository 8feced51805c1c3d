// A Trace made of a few lines in a test. Times are milliseconds since the recording began.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "model/trace.h"

namespace culprit::testing {

class TraceBuilder final : public Trace {
 public:
  static constexpr Time epoch = 1'000'000'000'000;  // when the recording began
  static constexpr Time ms(double time) { return epoch + static_cast<Time>(time * 1e6); }

  TraceBuilder() {
    info_.command = "./program";
    info_.recorded_by = "culprit test";
    info_.started = epoch;
  }

  // --- definitions

  ProcessId process(uint32_t pid, std::string name) {
    tables_.processes.push_back({.pid = pid, .name = name, .command = "./" + name, .sight_reason = {}});
    return id_at<ProcessId>(tables_.processes.size() - 1);
  }

  // "fun4@program fun2@program main@program": innermost first. Each function gets an address of its own in that module,
  // which function_at() gives back. Modules without "/" lie in /home/me.
  StackId stack(std::string_view frames) {
    std::vector<Frame> parsed;
    while (!frames.empty()) {
      std::string_view word = frames.substr(0, frames.find(' '));
      frames.remove_prefix(std::min(frames.size(), word.size() + 1));
      const size_t at = word.find('@');
      parsed.push_back({module(word.substr(at + 1)), address(word.substr(0, at)), FoundBy::unwind_table});
    }
    StackId id = StackId::none;
    for (size_t i = parsed.size(); i-- > 0;) id = tables_.stacks.intern(id, parsed[i]);
    return id;
  }
  // All modules of this name are of that build; the functions in it lie `shift` bytes further on than they would.
  void build(std::string_view file, std::string build_id, uint64_t shift = 0) {
    tables_.modules.at(index_of(module(file))).build_id = std::move(build_id);
    shift_ = shift;
  }
  std::string function_at(uint64_t offset) const {
    offset -= shift_;
    return offset / 0x100 < functions_.size() ? functions_[offset / 0x100] : "";
  }

  // --- events, in the order of the calls

  struct What {
    std::string_view type = "eventfd", name = "", call = "eventfd2";
    StackId stack = StackId::none;
    uint32_t tid = 1;
  };
  TraceBuilder& open(double time, ProcessId process, int64_t value, const What& what) {
    return handle(time, process, HandleAction::open, value, -1, what);
  }
  TraceBuilder& open(double time, ProcessId process, int64_t value) { return open(time, process, value, What{}); }
  TraceBuilder& receive(double time, ProcessId process, int64_t value) {
    return handle(time, process, HandleAction::receive, value, -1, {.type = "", .call = "recvmsg"});
  }
  TraceBuilder& dup(double time, ProcessId process, int64_t from, int64_t to, std::string_view call = "dup2") {
    return handle(time, process, HandleAction::duplicate, to, from, {.type = "", .call = call});
  }
  TraceBuilder& close(double time, ProcessId process, int64_t value, uint32_t tid = 1, StackId stack = StackId::none) {
    return handle(time, process, HandleAction::close, value, -1,
                  {.type = "", .call = "close", .stack = stack, .tid = tid});
  }
  TraceBuilder& close_range(double time, ProcessId process, int64_t first, int64_t last) {
    return handle(time, process, HandleAction::close_range, first, last, {.type = "", .call = "close_range"});
  }
  TraceBuilder& change(double time, ProcessId process, ProcessChange change, ProcessId parent = ProcessId::none,
                       int32_t status = 0, uint64_t limit = 0) {
    return add(ProcessEvent{.time = ms(time),
                            .process = process,
                            .parent = parent,
                            .change = change,
                            .status = status,
                            .handle_limit = limit});
  }
  TraceBuilder& launch(double time, ProcessId process, uint64_t limit = 0) {
    return change(time, process, ProcessChange::launched, ProcessId::none, 0, limit);
  }
  TraceBuilder& fork(double time, ProcessId parent, ProcessId child) {
    return change(time, child, ProcessChange::forked, parent);
  }
  TraceBuilder& exec(double time, ProcessId process) { return change(time, process, ProcessChange::executed); }
  TraceBuilder& exit(double time, ProcessId process, int32_t status = 0) {
    return change(time, process, ProcessChange::exited, ProcessId::none, status);
  }

  TraceBuilder& allocate(double time, ProcessId process, uint64_t address, uint64_t size, StackId stack,
                         uint32_t tid = 1) {
    return add(AllocationEvent{
        .time = ms(time), .address = address, .size = size, .process = process, .tid = tid, .stack = stack});
  }
  TraceBuilder& release(double time, ProcessId process, uint64_t address, uint32_t tid = 1) {
    return add(AllocationEvent{.time = ms(time),
                               .address = address,
                               .process = process,
                               .tid = tid,
                               .function = AllocatorFunction::free,
                               .action = AllocationAction::release});
  }
  TraceBuilder& map(double time, ProcessId process, uint64_t address, uint64_t size, StackId stack,
                    MappingKind kind = MappingKind::anonymous, uint32_t tid = 1) {
    return add(MappingEvent{.time = ms(time),
                            .address = address,
                            .size = size,
                            .process = process,
                            .tid = tid,
                            .stack = stack,
                            .kind = kind});
  }
  TraceBuilder& unmap(double time, ProcessId process, uint64_t address, uint64_t size,
                      MappingAction action = MappingAction::unmap, uint32_t tid = 1) {
    return add(MappingEvent{
        .time = ms(time), .address = address, .size = size, .process = process, .tid = tid, .action = action});
  }
  TraceBuilder& unreachable(double time, ProcessId process, std::vector<UnreachableBlocks::Block> blocks,
                            std::string why_not = "") {
    return add(UnreachableBlocks{ms(time), process, std::move(why_not), std::move(blocks)});
  }

  struct Seen {
    int64_t value;
    std::string_view type = "eventfd", name = "";
    uint64_t inode = 0;
  };
  TraceBuilder& snapshot(double begin, double end, ProcessId process, SnapshotReason reason, bool held,
                         std::vector<Seen> seen) {
    HandleSnapshot snapshot{
        .begin = ms(begin), .end = ms(end), .process = process, .reason = reason, .held = held, .entries = {}};
    for (const Seen& entry : seen) {
      snapshot.entries.push_back({entry.value, tables_.intern(entry.type), tables_.intern(entry.name), entry.inode});
    }
    return add(std::move(snapshot));
  }
  TraceBuilder& mark(double time, std::string name) { return add(Mark{ms(time), std::move(name)}); }
  TraceBuilder& thread(double time, ProcessId process, uint32_t tid, std::string_view name) {
    return add(ThreadEvent{ms(time), process, tid, tables_.intern(name)});
  }
  TraceBuilder& loss(Loss loss) { return add(std::move(loss)); }
  // Only a sample of the allocations was recorded.
  TraceBuilder& sampled_every(uint64_t bytes) {
    info_.allocations = bytes;
    return *this;
  }
  TraceBuilder& ends(double time) {
    info_.ended = ms(time);
    return *this;
  }

  // --- Trace

  const TraceInfo& info() const override { return info_; }
  const TraceTables& tables() const override { return tables_; }
  Result<void> replay(EventSink& sink) override {
    for (const Event& event : events_) std::visit(Sender{sink}, event);
    return {};
  }

 private:
  using Event = std::variant<HandleEvent, ProcessEvent, HandleSnapshot, ThreadEvent, Mark, Loss, AllocationEvent,
                             UnreachableBlocks, MappingEvent>;
  struct Sender {
    EventSink& sink;
    void operator()(const HandleEvent& event) const { sink.on_handle(event); }
    void operator()(const ProcessEvent& event) const { sink.on_process(event); }
    void operator()(const HandleSnapshot& event) const { sink.on_snapshot(event); }
    void operator()(const ThreadEvent& event) const { sink.on_thread(event); }
    void operator()(const Mark& event) const { sink.on_mark(event); }
    void operator()(const AllocationEvent& event) const { sink.on_allocation(event); }
    void operator()(const UnreachableBlocks& event) const { sink.on_unreachable(event); }
    void operator()(const MappingEvent& event) const { sink.on_mapping(event); }
    void operator()(const Loss& event) const { sink.on_loss(event); }
  };

  TraceBuilder& add(Event event) {
    events_.push_back(std::move(event));
    return *this;
  }
  TraceBuilder& handle(double time, ProcessId process, HandleAction action, int64_t value, int64_t other,
                       const What& what) {
    return add(HandleEvent{.time = ms(time),
                           .value = value,
                           .other = other,
                           .process = process,
                           .tid = what.tid,
                           .stack = what.stack,
                           .call = tables_.intern(what.call),
                           .type = tables_.intern(what.type),
                           .name = tables_.intern(what.name),
                           .action = action});
  }
  ModuleId module(std::string_view file) {
    std::string path = file.find('/') == std::string_view::npos ? "/home/me/" + std::string(file) : std::string(file);
    for (size_t i = 1; i < tables_.modules.size(); ++i) {
      if (tables_.modules[i].path == path) return id_at<ModuleId>(i);
    }
    tables_.modules.push_back({path, ""});
    return id_at<ModuleId>(tables_.modules.size() - 1);
  }
  uint64_t address(std::string_view function) {
    for (size_t i = 1; i < functions_.size(); ++i) {
      if (functions_[i] == function) return i * 0x100 + shift_;
    }
    functions_.emplace_back(function);
    return (functions_.size() - 1) * 0x100 + shift_;
  }

  TraceInfo info_;
  TraceTables tables_;
  std::vector<Event> events_;
  std::vector<std::string> functions_{""};
  uint64_t shift_ = 0;
};

}  // namespace culprit::testing
