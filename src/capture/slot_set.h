// All slots of the session, one per thread of the tree: finds the claimed ones, drains their rings, frees them after
// their end.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "capture/process_images.h"
#include "capture/ring_reader.h"
#include "capture/slot_decoder.h"

namespace culprit {

struct SlotRequest {
  uint32_t slot = 0;
  uint32_t number = 0;
  uint32_t kind = 0;
  uint64_t argument = 0, end = 0;
  WatchedProcess* process = nullptr;
};

class SlotSet {
 public:
  // `retire`: called with a process whose new image was found, to take leave of the old one.
  SlotSet(SessionMemory& memory, ProcessImages& images, DecoderShared& shared,
          std::function<void(WatchedProcess&)> retire)
      : memory_(memory),
        images_(images),
        shared_(shared),
        retire_(std::move(retire)),
        slots_(memory.slot_count()),
        refused_pids_(memory.slot_count()) {}

  // Drains every ring once. The number of records taken.
  uint64_t drain_all();
  void drain_process(const WatchedProcess& process);
  // Drains and frees all slots of a process (image) that is no more.
  void free_process(const WatchedProcess& process);
  // Frees the slots of threads that are gone without a word, and tells the names of threads. Costs a few system calls
  // per thread.
  void check_threads();

  // Requests not yet answered.
  std::vector<SlotRequest> requests();
  // Something to do came in since the last drain, beside `waiting` requests that cannot be answered yet.
  bool has_work(size_t waiting);

 private:
  struct Slot {
    WatchedProcess* owner = nullptr;
    uint32_t tid = 0, process_index = 0;
    StringId name = StringId::none;
    std::optional<SlotDecoder> decoder;
    RingReader reader;
    uint64_t lost[CULPRIT_LOST_KINDS] = {};
  };

  uint32_t scan_end();  // one past the last slot that can be in use
  Slot* recognize(uint32_t index);
  uint64_t drain(uint32_t index, Slot& slot);
  void count_losses(uint32_t index, Slot& slot);
  void free(uint32_t index);
  void tell_name(Slot& slot);

  SessionMemory& memory_;
  ProcessImages& images_;
  DecoderShared& shared_;
  std::function<void(WatchedProcess&)> retire_;
  std::vector<std::unique_ptr<Slot>> slots_;
  std::vector<uint32_t> refused_pids_;  // per slot: whose claim made no sense
  uint32_t used_end_ = 0;
};

}  // namespace culprit
