#include "trace/replay.h"

#include <algorithm>
#include <deque>
#include <future>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "trace/carried_tables.h"
#include "trace/event_decoder.h"
#include "trace/trace_format.h"

namespace culprit {

namespace {

// Far above what a recorder makes (some 20 MB for a block): the bound on what a file can ask for.
constexpr uint64_t max_open_bytes = uint64_t{3} << 29;

uint64_t memory_of(const BlockHeader& header) {
  constexpr uint64_t per_event = sizeof(HandleEvent) + 2 * sizeof(EventPlace);
  static_assert(sizeof(AllocationEvent) <= sizeof(HandleEvent));
  return uint64_t{header.event_count} * per_event + uint64_t{header.events_raw_size} * 9;  // 9: a snapshot's entries
}

struct Loaded {
  std::optional<DecodedBlock> block;
  bool overwritten = false;
};

// The raw events; nullopt: they are not there any more, or do not decompress.
std::optional<std::string> raw_events(const RecordingBytes& bytes, const ScannedBlock& block, bool& overwritten) {
  std::string buffer;
  const uint64_t before = block.in_ring ? block.header.definitions_size : 0;
  auto packed = bytes.read(block.events_offset - before, before + block.header.events_size, buffer);
  overwritten = block.in_ring && packed && checksum_of(as_text(*packed)) != block.header.payload_checksum;
  if (!packed || overwritten) return {};
  return decompress(packed->subspan(before), block.header.events_raw_size);
}

// Blocks of allocations that were sent, kept for the next ones: fresh memory of some 20 MB a block costs page faults.
// Thread-safe.
class UsedBlocks {
 public:
  void put(DecodedBlock block) {
    if (block.allocations.empty()) return;
    std::lock_guard lock(mutex_);
    if (blocks_.size() < most) blocks_.push_back(std::move(block));
  }
  DecodedBlock take() {
    std::lock_guard lock(mutex_);
    if (blocks_.empty()) return {};
    DecodedBlock block = std::move(blocks_.back());
    blocks_.pop_back();
    return block;
  }

 private:
  static constexpr size_t most = 4;
  std::mutex mutex_;
  std::vector<DecodedBlock> blocks_;
};

Loaded load(const RecordingBytes& bytes, const ScannedBlock& block, UsedBlocks& used) {
  Loaded loaded;
  auto raw = raw_events(bytes, block, loaded.overwritten);
  const bool of_allocations = block.header.kind == static_cast<uint16_t>(trace_format::BlockKind::allocations);
  if (raw)
    loaded.block = of_allocations ? decode_allocations(as_bytes(*raw), block.header, block.numbers, used.take())
                                  : decode_events(as_bytes(*raw), block.header, block.numbers);
  if (loaded.block && block.after != INT64_MIN) loaded.block->drop_until(block.after);
  return loaded;
}

// Decodes blocks in their order, some of them before they are asked for.
class DecodeAhead {
 public:
  DecodeAhead(const RecordingBytes& bytes, const std::vector<ScannedBlock>& blocks) : bytes_(bytes), blocks_(blocks) {
    // One block is not worth a thread. Where a thread cannot be had, the standard library decodes in ours.
    policy_ = blocks.size() > 1 ? std::launch::async | std::launch::deferred : std::launch::deferred;
    ahead_ = std::clamp(std::thread::hardware_concurrency(), 1u, 4u);
  }

  bool at_end() const { return next_ == blocks_.size(); }
  const ScannedBlock& next() const { return blocks_[next_]; }
  void give_back(DecodedBlock block) { used_.put(std::move(block)); }

  Loaded take() {
    start_jobs();
    auto block = jobs_.front().get();
    jobs_.pop_front();
    ++next_;
    start_jobs();
    return block;
  }

 private:
  void start_jobs() {
    while (jobs_.size() < ahead_ && next_ + jobs_.size() < blocks_.size()) {
      const ScannedBlock& block = blocks_[next_ + jobs_.size()];
      jobs_.push_back(std::async(policy_, [this, &block] { return load(bytes_, block, used_); }));
    }
  }

  const RecordingBytes& bytes_;
  const std::vector<ScannedBlock>& blocks_;
  std::launch policy_;
  size_t ahead_ = 1;
  size_t next_ = 0;
  UsedBlocks used_;
  std::deque<std::future<Loaded>> jobs_;  // they use all of the above
};

struct Cursor {
  DecodedBlock block;
  size_t position = 0;
  uint32_t recorded = 0;
  uint64_t memory = 0;

  bool at_end() const { return position == block.size(); }
  Time time() const { return block.time_at(position); }
};

bool comes_later(const std::unique_ptr<Cursor>& a, const std::unique_ptr<Cursor>& b) {
  return a->time() != b->time() ? a->time() > b->time() : a->recorded > b->recorded;
}

}  // namespace

ReplayLosses replay_carried(const RecordingBytes& bytes, const std::vector<ScannedBlock>& checkpoint, EventSink& sink) {
  ReplayLosses losses;
  for (const ScannedBlock& block : checkpoint) {
    bool overwritten = false;
    auto raw = raw_events(bytes, block, overwritten);
    if (raw && read_carried_tables(as_bytes(*raw), block.numbers, sink)) continue;
    ++(overwritten ? losses.overwritten : losses.damaged);
  }
  return losses;
}

ReplayLosses replay_blocks(const RecordingBytes& bytes, const std::vector<ScannedBlock>& blocks, EventSink& sink) {
  ReplayLosses losses;
  DecodeAhead ahead(bytes, blocks);
  std::vector<std::unique_ptr<Cursor>> open;  // a heap, the next event's block in front
  uint64_t open_bytes = 0;
  for (;;) {
    while (!ahead.at_end() && (open.empty() || ahead.next().header.first_time <= open.front()->time())) {
      const ScannedBlock& next = ahead.next();
      auto [block, overwritten] = ahead.take();
      uint64_t memory = memory_of(next.header);
      if (block) losses.unknown += block->unknown;
      if (!block) {
        ++(overwritten ? losses.overwritten : losses.damaged);
      } else if (open_bytes + memory > max_open_bytes) {
        ++losses.over_limit;
      } else if (block->size() != 0) {
        open_bytes += memory;
        open.push_back(std::make_unique<Cursor>(Cursor{std::move(*block), 0, next.recorded, memory}));
        std::push_heap(open.begin(), open.end(), comes_later);
      }
    }
    if (open.empty()) return losses;
    // From here on: no event that is not in an open block comes before the front one's next.
    std::pop_heap(open.begin(), open.end(), comes_later);
    Cursor& cursor = *open.back();
    Time others = std::numeric_limits<Time>::max();
    if (!ahead.at_end()) others = ahead.next().header.first_time;
    if (open.size() > 1) others = std::min(others, open.front()->time());
    cursor.position = cursor.block.send(cursor.position, others, sink);
    if (cursor.at_end()) {
      open_bytes -= cursor.memory;
      ahead.give_back(std::move(cursor.block));
      open.pop_back();
    } else {
      std::push_heap(open.begin(), open.end(), comes_later);
    }
  }
}

}  // namespace culprit
