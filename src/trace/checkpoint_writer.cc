#include "trace/checkpoint_writer.h"

#include <algorithm>

#include "trace/trace_format.h"

namespace culprit {

using namespace trace_format;

namespace {

// Of a table, encoded at a time: between the pieces it is seen whether a block is full.
constexpr size_t handles_at_a_time = 64;

}  // namespace

uint64_t CheckpointWriter::block_written(RecordingFile& file, uint64_t size) {
  since_last_ += size;
  // At most half of what is kept lies between the beginnings of two checkpoints, and one takes a quarter at most: when
  // one is being written, the one before is still whole.
  const uint64_t capacity = file.ring()->capacity();
  const uint64_t interval = std::min(std::max(capacity / checkpoints_per_lap, 2 * last_size_), capacity / 2);
  if (since_last_ < interval) return 0;
  auto moment = source_.settle(since_last_ >= 2 * interval);
  return moment ? write(file, *moment) : 0;
}

uint64_t CheckpointWriter::write(RecordingFile& file, const OpenHandleSource::Moment& moment) {
  const RingSpace& ring = *file.ring();
  const uint64_t most = ring.capacity() / 4;
  const size_t full = std::min<size_t>(full_block_bytes, most / 4);
  written_.push_back({ring.lap(), ring.next(), moment.as_of});
  since_last_ = last_size_ = 0;
  CheckpointHead head{.as_of = moment.as_of, .events = moment.events};
  uint64_t left_out = 0;
  source_.send_tables([&](const CarriedTable& table) {
    std::span<const CarriedHandle> rest(table.handles);
    do {
      const bool room = last_size_ + 2 * full <= most;
      auto handles = rest.first(room ? std::min(rest.size(), handles_at_a_time) : 0);
      left_out += room ? 0 : rest.size();
      rest = room ? rest.subspan(handles.size()) : std::span<const CarriedHandle>();
      encoder_.add(table, handles);
      if (encoder_.size() + definitions_.size() >= full) write_part(file, head);
    } while (!rest.empty());
  });
  head.is_last = true;
  write_part(file, head);
  return left_out;
}

void CheckpointWriter::write_part(RecordingFile& file, CheckpointHead& head) {
  std::string block = seal_(head, encoder_.take(head));
  ++head.part;
  if (block.empty()) return;  // nobody will take the checkpoint for a whole one
  last_size_ += block.size();
  since_last_ += block.size();
  file.append(std::move(block));
  // What may have been overwritten serves nobody; one that is more than a lap old certainly was.
  while (!written_.empty() && written_.front().lap + 1 < file.ring()->lap()) written_.pop_front();
}

std::optional<Time> CheckpointWriter::complete_from(const RingSpace& ring) const {
  if (ring.lap() == 0) return {};
  auto first = std::find_if(written_.begin(), written_.end(),
                            [&](const Written& one) { return ring.survives(one.lap, one.offset); });
  return first == written_.end() ? std::nullopt : std::optional(first->as_of);
}

}  // namespace culprit
