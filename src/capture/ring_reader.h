// Takes records out of a thread's ring. The writer is not trusted: a head that jumps, lengths without bytes, anything.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "wire/agent_session.h"

namespace culprit {

class RecordSink {
 public:
  virtual ~RecordSink() = default;
  virtual void on_record(const culprit_record& record) = 0;  // of any kind but STRING; fields unchecked
  virtual void on_string(uint32_t id, std::string_view text) = 0;
};

class RingReader {
 public:
  // Names longer than a path can be are nonsense.
  static constexpr uint32_t string_limit = 4096 + 256;

  // Hands everything published in `slot` so far to the sink, and makes the room free for the writer as it goes. At most
  // one ring's content, so that it ends. The number of records taken.
  uint64_t drain(culprit_slot& slot, RecordSink& sink);

  // Records that made no sense, so far. Forgets them.
  uint64_t take_bad_records() { return std::exchange(bad_records_, 0); }
  uint64_t position() const { return tail_; }

 private:
  void take_string(culprit_slot& slot, const culprit_record& head, RecordSink& sink);

  uint64_t tail_ = 0;  // ours: the one in shared memory is only for the writer to see
  uint64_t bad_records_ = 0;
  std::string text_;
};

}  // namespace culprit
