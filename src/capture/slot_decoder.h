// Turns the records of one thread's ring into model events.
#pragma once

#include <cstdint>
#include <functional>
#include <unordered_map>
#include <vector>

#include "capture/call_names.h"
#include "capture/loss_counter.h"
#include "capture/process_book.h"
#include "capture/ring_reader.h"
#include "capture/tsc_clock.h"

namespace culprit {

// What all slots of a session share. Everything outlives the decoders.
struct DecoderShared {
  TraceTables& tables;
  EventSink& events;
  LossCounter& losses;
  ProcessBook& book;
  const TscClock& clock;
  CallNames& calls;
  // Reads the mappings of a process anew as those of a generation (called when an address is not known).
  std::function<void(WatchedProcess&, uint32_t generation)> read_mappings;
};

class SlotDecoder : public RecordSink {
 public:
  // `owner`: the process of the thread; `generation`: its table_generation when the slot was claimed.
  SlotDecoder(DecoderShared& shared, WatchedProcess& owner, uint32_t tid, uint32_t generation)
      : shared_(shared), owner_(owner), acting_(&owner), tid_(tid), generation_(generation) {}

  void on_record(const culprit_record& record) override;
  void on_string(uint32_t id, std::string_view text) override;

  uint64_t take_bad_records() { return std::exchange(bad_records_, 0); }

 private:
  struct Stack {
    StackId id = StackId::none;
    bool truncated = false;
  };
  // Numbers grow while a thread lives; only the newest million are remembered (the agent gives up older ones sooner).
  template <typename Value>
  class Window {
   public:
    bool put(uint32_t index, const Value& value);
    const Value* find(uint32_t index) const;

   private:
    uint32_t first_ = 0;
    std::vector<Value> values_;
  };

  void add_node(const culprit_record& record);
  void add_handle_event(const culprit_record& record, HandleAction action);
  void add_allocation_event(const culprit_record& record, AllocationAction action);
  StackId stack_of_block(const culprit_record& record);  // or mapping; what is missing of it is counted
  void add_mapping_event(const culprit_record& record);
  StringId type_of(StringId name, StringId call_type);
  void note_exec(const culprit_record& record);
  void switch_process(const culprit_record& record);
  void begin_generation(const culprit_record& record);
  Frame frame_at(uint64_t address, uint8_t flags);
  Stack stack_of(uint32_t node) const;
  StringId string_of(uint32_t id) const;

  DecoderShared& shared_;
  WatchedProcess& owner_;
  WatchedProcess* acting_;  // differs while a vfork child runs on the thread
  uint32_t tid_;
  uint32_t generation_;
  bool has_own_table_ = false;
  Window<Stack> stacks_;
  // The last name an open had, and what type its path tells: programs open the same file again and again.
  StringId typed_name_ = StringId::none;
  StringId typed_call_ = StringId::none;
  StringId type_of_name_ = StringId::none;
  Window<StringId> strings_;
  uint64_t bad_records_ = 0;
};

}  // namespace culprit
