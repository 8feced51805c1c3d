// Reading a circular recording. First every whole block is found, wherever it lies; then, in the order of their
// sequence numbers, the window is chosen: from the oldest checkpoint on that is whole, and after which nothing is
// missing.
#include <algorithm>
#include <span>
#include <utility>

#include "trace/block_scan.h"
#include "trace/carried_tables.h"

namespace culprit {

using namespace trace_format;

namespace {

struct Found {
  uint64_t sequence = 0;
  uint64_t offset = 0;
};

// Where one stops to believe that a header tells where its block ends: right after a header whose block is not whole,
// others may stand. Bounded, as the bytes behind each of them are looked at again.
constexpr int distrusted_headers = 64;

class RingScanner {
 public:
  RingScanner(const RecordingBytes& bytes, DefinitionsReader& definitions, Checksums checksums)
      : bytes_(bytes), definitions_(definitions), verify_(checksums == Checksums::verify) {}

  BlockScan scan(uint64_t offset);

 private:
  struct Checkpoint {
    CheckpointHead head;
    size_t first = 0, end = 0;  // in found_
  };

  uint64_t find_one(uint64_t offset);
  void find_all(uint64_t offset);
  std::optional<BlockHeader> header_at(uint64_t offset);
  std::optional<Bytes> definitions_at(const Found& found, const BlockHeader& header);
  std::optional<CheckpointHead> checkpoint_head(const Found& found);
  std::optional<Checkpoint> whole_checkpoint_at(size_t index);
  std::optional<Checkpoint> first_usable_checkpoint();
  std::optional<Past> past_of(const Found& found);
  void take(const Found& found, const std::optional<Checkpoint>& checkpoint, size_t index);
  void count_gaps(size_t first);

  const RecordingBytes& bytes_;
  DefinitionsReader& definitions_;
  bool verify_;
  int distrusted_ = 0;
  std::vector<Found> found_;  // by sequence
  BlockScan scan_;
  std::string header_buffer_, payload_buffer_;
};

std::optional<BlockHeader> RingScanner::header_at(uint64_t offset) {
  auto raw = bytes_.read(offset, sizeof(RawBlockHeader), header_buffer_);
  return raw ? parse_block_header(*raw, verify_) : std::nullopt;
}

// Returns where to go on.
uint64_t RingScanner::find_one(uint64_t offset) {
  auto header = header_at(offset);
  if (!header) return bytes_.find(block_magic, offset + 1);
  uint64_t payload_offset = offset + sizeof(RawBlockHeader);
  auto payload = bytes_.read(payload_offset, header->payload_size(), payload_buffer_);
  if (!payload || (verify_ && checksum_of(as_text(*payload)) != header->payload_checksum)) {
    const bool skip = payload && ++distrusted_ > distrusted_headers;
    return bytes_.find(block_magic, skip ? payload_offset + payload->size() : payload_offset);
  }
  if (found_.size() < max_ring_blocks) {
    found_.push_back({header->sequence, offset});
  } else {
    ++scan_.over_limit;
  }
  return payload_offset + payload->size();
}

void RingScanner::find_all(uint64_t offset) {
  while (offset < bytes_.size()) offset = find_one(offset);
  auto same = [](const Found& a, const Found& b) { return a.sequence == b.sequence; };
  std::stable_sort(found_.begin(), found_.end(),
                   [](const Found& a, const Found& b) { return a.sequence < b.sequence; });
  found_.erase(std::unique(found_.begin(), found_.end(), same), found_.end());
}

std::optional<Bytes> RingScanner::definitions_at(const Found& found, const BlockHeader& header) {
  return bytes_.read(found.offset + sizeof(RawBlockHeader), header.definitions_size, payload_buffer_);
}

std::optional<CheckpointHead> RingScanner::checkpoint_head(const Found& found) {
  auto header = header_at(found.offset);
  if (!header || header->kind != static_cast<uint16_t>(BlockKind::checkpoint)) return {};
  auto packed = bytes_.read(found.offset + sizeof(RawBlockHeader) + header->definitions_size, header->events_size,
                            payload_buffer_);
  auto raw = packed ? decompress(*packed, header->events_raw_size) : std::nullopt;
  return raw ? read_checkpoint_head(as_bytes(*raw)) : std::nullopt;
}

// The blocks of a checkpoint follow one another.
std::optional<RingScanner::Checkpoint> RingScanner::whole_checkpoint_at(size_t index) {
  auto head = checkpoint_head(found_[index]);
  if (!head || head->part != 0) return {};
  Checkpoint checkpoint{*head, index, index + 1};
  while (!head->is_last) {
    const size_t next = checkpoint.end;
    if (next == found_.size() || found_[next].sequence != found_[next - 1].sequence + 1) return {};
    const uint32_t expected = head->part + 1;
    head = checkpoint_head(found_[next]);
    if (!head || head->part != expected || head->as_of != checkpoint.head.as_of) return {};
    ++checkpoint.end;
  }
  return checkpoint;
}

// What the oldest block knows of those before it. Its definitions are read into tables that nobody keeps.
std::optional<Past> RingScanner::past_of(const Found& found) {
  auto header = header_at(found.offset);
  auto packed = header ? definitions_at(found, *header) : std::nullopt;
  auto raw = packed ? decompress(*packed, header->definitions_raw_size) : std::nullopt;
  if (!raw) return {};
  TraceTables scratch;
  DefinitionsReader reader(scratch);
  auto numbers = reader.read(as_bytes(*raw));
  return numbers ? reader.past() : std::nullopt;
}

// The oldest one that all events which are not in it have survived.
std::optional<RingScanner::Checkpoint> RingScanner::first_usable_checkpoint() {
  auto past = past_of(found_.front());
  if (!past) return {};
  for (size_t i = 0; i < found_.size(); ++i) {
    auto checkpoint = whole_checkpoint_at(i);
    if (checkpoint && past->newest <= checkpoint->head.as_of) return checkpoint;
  }
  return {};
}

void RingScanner::take(const Found& found, const std::optional<Checkpoint>& checkpoint, size_t index) {
  auto header = header_at(found.offset);
  auto packed = header ? definitions_at(found, *header) : std::nullopt;
  if (!packed) return void(++scan_.damaged);  // overwritten since we found it
  const bool before = checkpoint && index < checkpoint->first;
  if (before && header->last_time <= checkpoint->head.as_of) return;
  auto numbers = take_up(*header, found.offset, *packed, definitions_, scan_);
  if (!numbers) return;
  ScannedBlock block{.header = *header,
                     .events_offset = found.offset + sizeof(RawBlockHeader) + header->definitions_size,
                     .after = before ? checkpoint->head.as_of : INT64_MIN,
                     .in_ring = true,
                     .numbers = std::move(*numbers)};
  if (header->kind == static_cast<uint16_t>(BlockKind::checkpoint)) {
    const bool wanted = checkpoint && index >= checkpoint->first && index < checkpoint->end;
    if (wanted) scan_.window->checkpoint.push_back(std::move(block));
  } else if (header->event_count > 0) {
    scan_.blocks.push_back(std::move(block));
  }
}

void RingScanner::count_gaps(size_t first) {
  for (size_t i = first + 1; i < found_.size(); ++i) {
    uint64_t missing = found_[i].sequence - found_[i - 1].sequence - 1;
    if (missing == 0) continue;
    if (scan_.damaged == 0) scan_.first_damage = found_[i].offset;
    constexpr uint64_t believable = uint64_t{1} << 32;
    scan_.damaged += missing < believable ? missing : 1;
  }
}

BlockScan RingScanner::scan(uint64_t offset) {
  find_all(offset);
  if (found_.empty()) return std::move(scan_);
  std::optional<Checkpoint> checkpoint;
  if (found_.front().sequence > 0) {
    checkpoint = first_usable_checkpoint();
    ScannedWindow& window = scan_.window.emplace();
    if (checkpoint) {
      window.complete_from = checkpoint->head.as_of;
      window.events_before = checkpoint->head.events;
    } else if (auto past = past_of(found_.front())) {
      window.complete_from = past->newest;
      window.events_before = past->events;
    }
  }
  count_gaps(0);
  for (size_t i = 0; i < found_.size(); ++i) take(found_[i], checkpoint, i);
  return std::move(scan_);
}

}  // namespace

BlockScan scan_ring(const RecordingBytes& bytes, uint64_t offset, DefinitionsReader& definitions, Checksums checksums) {
  return RingScanner(bytes, definitions, checksums).scan(offset);
}

}  // namespace culprit
