#include "capture/ring_reader.h"

#include <algorithm>
#include <cstring>

#include "capture/session_memory.h"

namespace culprit {
namespace {

constexpr uint64_t publish_interval = 1024;  // a writer waiting for room need not wait for the end of the drain

culprit_record copy_of(const culprit_slot& slot, uint64_t position) {
  culprit_record record;
  std::memcpy(&record, &slot.ring[position % CULPRIT_RING_RECORDS], sizeof(record));
  return record;
}

uint64_t records_of(uint32_t length) {
  return (uint64_t{length} + sizeof(culprit_record) - 1) / sizeof(culprit_record);
}

}  // namespace

void RingReader::take_string(culprit_slot& slot, const culprit_record& head, RecordSink& sink) {
  text_.clear();
  for (uint64_t i = 0; i < records_of(head.argument); i++) {
    culprit_record piece = copy_of(slot, tail_ + 1 + i);
    size_t rest = head.argument - text_.size();
    text_.append(reinterpret_cast<const char*>(&piece), std::min(rest, sizeof(piece)));
  }
  tail_ += records_of(head.argument);
  sink.on_string(head.node, text_);
}

uint64_t RingReader::drain(culprit_slot& slot, RecordSink& sink) {
  uint64_t head = load_shared(slot.head);
  uint64_t begin = tail_;
  if (head - tail_ > CULPRIT_RING_RECORDS) {  // also when it ran backwards
    bad_records_++;
    tail_ = head;
    store_shared(slot.tail, tail_);
    return 0;
  }
  uint64_t published = tail_;
  while (tail_ < head) {
    culprit_record record = copy_of(slot, tail_);
    if (record.kind == CULPRIT_RECORD_STRING) {
      uint64_t pieces = records_of(record.argument);
      if (record.argument > string_limit || pieces >= head - tail_) {
        bad_records_++;
      } else {
        take_string(slot, record, sink);
      }
    } else {
      sink.on_record(record);
    }
    tail_++;
    if (tail_ - published >= publish_interval) store_shared(slot.tail, published = tail_);
  }
  if (tail_ != published) store_shared(slot.tail, tail_);
  return tail_ - begin;
}

}  // namespace culprit
