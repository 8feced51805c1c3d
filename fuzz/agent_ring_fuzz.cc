// links: capture
// Ring contents as a hostile process could write them: the input is the slot's head and its first records.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "capture/slot_decoder.h"

namespace {

using namespace culprit;

class CountingSink : public EventSink {
 public:
  void on_handle(const HandleEvent& event) override { check(event.value >= 0); }
  void on_mapping(const MappingEvent& event) override {
    check(!name_of(event.kind).empty() && event.action <= MappingAction::leave);
  }
  void on_process(const ProcessEvent&) override {}
  void on_thread(const ThreadEvent&) override {}
  void on_snapshot(const HandleSnapshot&) override {}
  void on_mark(const Mark&) override {}
  void on_loss(const Loss& loss) override { check(loss.count > 0); }

 private:
  static void check(bool holds) {
    if (!holds) __builtin_trap();
  }
};

culprit_slot& fresh_slot() {
  static void* memory =
      mmap(nullptr, sizeof(culprit_slot), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  auto& slot = *static_cast<culprit_slot*>(memory);
  slot.head = slot.tail = 0;
  return slot;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < sizeof(uint64_t)) return 0;
  TraceTables tables;
  CountingSink sink;
  LossCounter losses;
  ProcessBook book(tables, sink);
  TscClock clock({1000, 1000}, {2000, 2000});
  CallNames calls(tables);
  DecoderShared shared{tables, sink, losses, book, clock, calls, [](WatchedProcess&, uint32_t) {}};
  // A pid that cannot be: nothing of this machine is looked at.
  constexpr uint32_t impossible_pid = 0x7fffffff;
  WatchedProcess& process = book.launched(impossible_pid, 1000);
  SlotDecoder decoder(shared, process, impossible_pid, 0);

  culprit_slot& slot = fresh_slot();
  RingReader reader;
  uint64_t head;
  std::memcpy(&head, data, sizeof(head));
  data += sizeof(head);
  size -= sizeof(head);
  size_t records = std::min<size_t>(size / sizeof(culprit_record), CULPRIT_RING_RECORDS);
  std::memcpy(slot.ring, data, records * sizeof(culprit_record));
  slot.head = head % 4 == 0 ? head : records;
  reader.drain(slot, decoder);
  slot.head = records;  // perhaps backwards
  reader.drain(slot, decoder);
  losses.hand_on(sink);
  return 0;
}
