// links: analysis trace
// A recording's bytes: as they are, and (behind the checksums and the compression, which a fuzzer does not get through)
// as the definitions and events of blocks, of a circular recording or another. The first byte chooses. What is read
// goes on into the lives of handles, which take over what circular recordings carry along.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "analysis/handle_lifetimes.h"
#include "analysis/memory_totals.h"
#include "trace/block.h"
#include "trace/trace_reader.h"

namespace {

using namespace culprit;

// What a sink may rely on: ids are in the tables, times never go back, parents come to an end.
class Checker : public EventSink {
 public:
  Checker(const TraceTables& tables, HandleLifetimes& lifetimes)
      : tables_(tables), lifetimes_(lifetimes), memory_(tables, RecordedMemory::blocks, AllocationKey::stack, {}) {}
  void on_handle(const HandleEvent& event) override {
    check(event.time, event.process);
    tables_.text(event.call);
    tables_.text(event.type);
    tables_.text(event.name);
    tables_.stacks.frames(event.stack);
    lifetimes_.on_handle(event);
  }
  void on_process(const ProcessEvent& event) override {
    check(event.time, event.process);
    check(event.time, event.parent);
    tables_.stacks.frames(event.stack);
    lifetimes_.on_process(event);
    memory_.on_process(event);
  }
  void on_thread(const ThreadEvent& event) override {
    check(event.time, event.process);
    tables_.text(event.name);
  }
  void on_snapshot(const HandleSnapshot& snapshot) override {
    check(snapshot.begin, snapshot.process);
    for (const SnapshotEntry& entry : snapshot.entries) {
      tables_.text(entry.type);
      tables_.text(entry.name);
    }
    lifetimes_.on_snapshot(snapshot);
  }
  void on_allocation(const AllocationEvent& event) override {
    check(event.time, event.process);
    tables_.stacks.frames(event.stack);
    name_of(event.function);
    memory_.on_allocation(event);
  }
  void on_mapping(const MappingEvent& event) override {
    check(event.time, event.process);
    tables_.stacks.frames(event.stack);
    name_of(event.kind);
    memory_.on_mapping(event);
  }
  void on_mark(const Mark& mark) override { check(mark.time, ProcessId::none); }
  void on_loss(const Loss& loss) override { tables_.process(loss.process); }
  void on_carried(const CarriedTable& table) override {
    if (any_) std::abort();
    tables_.process(table.owner);
    for (const CarriedProcess& process : table.processes)
      tables_.process(process.process), tables_.process(process.parent);
    for (const CarriedHandle& handle : table.handles) {
      for (StringId text : {handle.type, handle.call_type, handle.name, handle.call}) tables_.text(text);
      tables_.process(handle.creating), tables_.process(handle.owning);
      tables_.stacks.frames(handle.stack);
    }
    lifetimes_.on_carried(table);
  }

  void end() { memory_.finish(); }

 private:
  void check(Time time, ProcessId process) {
    if (any_ && time < last_) std::abort();
    any_ = true;
    last_ = time;
    for (; process != ProcessId::none; process = tables_.process(process).parent) {
    }
  }
  const TraceTables& tables_;
  HandleLifetimes& lifetimes_;
  MemoryTotals memory_;
  Time last_ = 0;
  bool any_ = false;
};

struct NoLives : HandleLifeSink {
  void on_life(const HandleLife&) override {}
};

constexpr std::string_view plain_header(
    "\x8f"
    "culprit\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
    24);
// With 10 bytes of info: item 7 (circular), 8 bytes, a megabyte.
constexpr std::string_view ring_header(
    "\x8f"
    "culprit\x01\0\x01\0\x0a\0\0\0\0\0\0\0\0\0\0\0\x07\x08\0\0\x10\0\0\0\0\0",
    34);

std::string as_recording(std::string_view input, bool circular) {
  std::string recording(circular ? ring_header : plain_header);
  // A few blocks, so that decoding ahead, merging and ordering have something to do.
  for (uint64_t i = 0; i < (circular ? 4 : 2) && input.size() >= 5; ++i) {
    size_t definitions = (static_cast<uint8_t>(input[0]) | static_cast<uint8_t>(input[1]) << 8) % (input.size() - 4);
    auto events = static_cast<uint8_t>(input[2]), how = static_cast<uint8_t>(input[3]);
    std::string_view rest = input.substr(4);
    Time as_of = circular ? how >> 4 : INT64_MAX;
    recording += seal_block({.kind = static_cast<uint16_t>(how % 4 == 0               ? 2
                                                           : how % 4 == 1 && circular ? 3
                                                           : how % 4 == 2             ? 4
                                                                                      : 1),
                             .version = 1,
                             .sequence = circular ? (how >> 2) % 8u : i,
                             .first_time = circular ? 0 : INT64_MIN,
                             .last_time = as_of,
                             .event_count = events},
                            rest.substr(0, definitions), rest.substr(definitions));
    input = input.substr(input.size() / 2);
  }
  return recording;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  std::string input(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] % 4 != 0) input = as_recording(input, data[0] % 4 == 3);
  auto trace = open_trace_in_memory(as_bytes(input), "fuzz", Checksums::ignore);
  if (!trace) return 0;
  NoLives lives;
  HandleLifetimes lifetimes((*trace)->tables(), lives), others((*trace)->tables(), lives);
  Checker first((*trace)->tables(), lifetimes), second((*trace)->tables(), others);
  if (!(*trace)->replay(first)) return 0;
  lifetimes.carry_out(0, [&](const CarriedTable& table) { second.on_carried(table); });
  lifetimes.finish((*trace)->info().ended);
  Checker third((*trace)->tables(), others);
  if (!(*trace)->replay(third)) return 0;
  others.finish((*trace)->info().ended);
  first.end();
  return 0;
}
