// links: trace
// A recording's bytes: as they are, and (behind the checksums and the compression, which a fuzzer does not get through)
// as the definitions and events of one block. The first byte chooses.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "trace/block.h"
#include "trace/trace_reader.h"

namespace {

using namespace culprit;

// What a sink may rely on: ids are in the tables, times never go back, parents come to an end.
class Checker : public EventSink {
 public:
  explicit Checker(const TraceTables& tables) : tables_(tables) {}
  void on_handle(const HandleEvent& event) override {
    check(event.time, event.process);
    tables_.text(event.call);
    tables_.text(event.type);
    tables_.text(event.name);
    tables_.stacks.frames(event.stack);
  }
  void on_process(const ProcessEvent& event) override {
    check(event.time, event.process);
    check(event.time, event.parent);
    tables_.stacks.frames(event.stack);
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
  }
  void on_mark(const Mark& mark) override { check(mark.time, ProcessId::none); }
  void on_loss(const Loss& loss) override { tables_.process(loss.process); }

 private:
  void check(Time time, ProcessId process) {
    if (any_ && time < last_) std::abort();
    any_ = true;
    last_ = time;
    for (; process != ProcessId::none; process = tables_.process(process).parent) {
    }
  }
  const TraceTables& tables_;
  Time last_ = 0;
  bool any_ = false;
};

std::string as_recording(std::string_view input) {
  std::string recording(
      "\x8f"
      "culprit\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
      24);
  // Two blocks, so that decoding ahead and merging have something to do.
  for (uint64_t sequence = 0; sequence < 2 && input.size() >= 4; ++sequence) {
    size_t definitions = (static_cast<uint8_t>(input[0]) | static_cast<uint8_t>(input[1]) << 8) % (input.size() - 3);
    auto events = static_cast<uint8_t>(input[2]);
    std::string_view rest = input.substr(3);
    recording += seal_block({.kind = static_cast<uint16_t>(events % 8 == 7 ? 2 : 1),
                             .version = 1,
                             .sequence = sequence,
                             .first_time = INT64_MIN,
                             .last_time = INT64_MAX,
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
  if (data[0] % 4 != 0) input = as_recording(input);
  auto trace = open_trace_in_memory(as_bytes(input), "fuzz", Checksums::ignore);
  if (!trace) return 0;
  Checker checker((*trace)->tables());
  if (!(*trace)->replay(checker) || !(*trace)->replay(checker)) return 0;
  return 0;
}
