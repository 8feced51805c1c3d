// The block of allocations that allocation_encoder.cc writes, read back.
#include <algorithm>
#include <array>
#include <utility>

#include "trace/address_history.h"
#include "trace/block_heads.h"
#include "trace/event_decoder.h"
#include "trace/trace_format.h"

namespace culprit {

using namespace trace_format;

namespace {

class AllocationDecoder {
 public:
  AllocationDecoder(Bytes events, const BlockHeader& header, const BlockNumbers& numbers, DecodedBlock used)
      : header_(header), numbers_(numbers), reader_(events), block_(std::move(used)) {
    block_.allocations.clear();
    block_.order.clear();
  }

  std::optional<DecodedBlock> decode();

 private:
  struct Recipe {
    AllocatorFunction function = AllocatorFunction::malloc;
    AllocationAction action = AllocationAction::allocate;
    StackId stack = StackId::none;
    uint32_t section = 0;  // that the rest belongs to
    uint64_t last_size = 0;
  };

  void read_recipes();
  void read_section(uint32_t number);
  bool number_places();

  ByteReader& column(AllocationColumn which) { return columns_[static_cast<size_t>(which)]; }

  const BlockHeader& header_;
  const BlockNumbers& numbers_;
  ByteReader reader_;
  BlockHeads heads_;
  std::vector<Recipe> recipes_;
  std::vector<ByteReader> columns_;
  AddressHistory addresses_;
  DecodedBlock block_;
};

void AllocationDecoder::read_recipes() {
  recipes_.resize(reader_.take_count(reader_.take_uleb128(), 2));
  for (Recipe& recipe : recipes_) {
    auto flags = reader_.take<uint8_t>();
    if ((flags >> 1) >= allocator_function_count) return reader_.fail();
    recipe.function = static_cast<AllocatorFunction>(flags >> 1);
    if ((flags & recipe_is_release) != 0) recipe.action = AllocationAction::release;
  }
  int64_t stack = 0;
  for (Recipe& recipe : recipes_) {
    stack = added(stack, unzigzag(reader_.take_uleb128()));
    recipe.stack = look_up(numbers_.stacks, static_cast<uint64_t>(stack), reader_);
  }
}

void AllocationDecoder::read_section(uint32_t section) {
  const SectionHead& head = heads_.sections[section];
  ByteReader &numbers = column(AllocationColumn::recipe), &time_low = column(AllocationColumn::time_low),
             &time_high = column(AllocationColumn::time_high), &sizes = column(AllocationColumn::size),
             &addresses = column(AllocationColumn::address);
  // Every event has a byte here: a count is no more than the bytes there are.
  if (head.count > time_low.remaining()) return time_low.fail();
  Time time = heads_.base_time;
  addresses_.clear();
  for (uint32_t i = 0; i < head.count; ++i) {
    const uint64_t number = numbers.take_uleb128();
    if (number >= recipes_.size()) return numbers.fail();
    Recipe& recipe = recipes_[number];
    if (recipe.section != section) {
      recipe.section = section;
      recipe.last_size = 0;
    }
    const uint64_t low = time_low.take<uint8_t>();
    time = added(time, unzigzag(time_high.take_uleb128() << 8 | low));
    uint64_t size = 0;
    std::optional<uint64_t> address;
    if (recipe.action == AllocationAction::allocate) {
      recipe.last_size =
          static_cast<uint64_t>(added(static_cast<int64_t>(recipe.last_size), unzigzag(sizes.take_uleb128())));
      size = recipe.last_size;
      address = addresses_.allocated(addresses.take_uleb128(), size);
    } else {
      const uint64_t back = addresses.take_uleb128();
      address = back != 0 ? addresses_.released(back) : addresses_.released_elsewhere(addresses.take_uleb128());
    }
    if (!address) return addresses.fail();
    block_.order.push_back({time, 0, static_cast<uint32_t>(block_.allocations.size())});
    // Written where it stays: a copy of an event that was just put together field by field stalls.
    AllocationEvent& event = block_.allocations.emplace_back();
    event.time = time;
    event.address = *address;
    event.size = size;
    event.process = head.process;
    event.tid = head.tid;
    event.stack = recipe.stack;
    event.function = recipe.function;
    event.action = recipe.action;
  }
}

// Walks the runs to give every event its number in the order of recording. False: runs and events do not match.
bool AllocationDecoder::number_places() {
  struct Cursor {
    uint32_t next, end;
  };
  std::vector<Cursor> cursors;
  for (uint32_t start = 0; const SectionHead& head : heads_.sections) {
    cursors.push_back({start, start + head.count});
    start += head.count;
  }
  uint32_t recorded = 0;
  for (const Run& run : heads_.runs) {
    if (run.section >= cursors.size()) return false;
    Cursor& cursor = cursors[run.section];
    if (run.length > cursor.end - cursor.next) return false;
    for (uint64_t i = 0; i < run.length; ++i, ++cursor.next, ++recorded) {
      EventPlace& place = block_.order[cursor.next];
      if (place.time < header_.first_time || place.time > header_.last_time) return false;
      place.recorded = recorded;
    }
  }
  return recorded == header_.event_count && recorded == block_.allocations.size();
}

std::optional<DecodedBlock> AllocationDecoder::decode() {
  heads_ = read_block_heads(reader_, header_, numbers_.processes);
  read_recipes();
  for (size_t i = 0; i < allocation_column_count; ++i)
    columns_.emplace_back(reader_.take_bytes(reader_.take_uleb128()));
  if (!reader_) return std::nullopt;
  const size_t most = std::min<size_t>(header_.event_count, column(AllocationColumn::time_low).remaining());
  block_.allocations.reserve(most);
  block_.order.reserve(most);
  for (uint32_t i = 0; i < heads_.sections.size(); ++i) read_section(i);
  const bool all_read = std::all_of(columns_.begin(), columns_.end(), [](const ByteReader& c) { return bool(c); });
  if (!all_read || !number_places()) return std::nullopt;
  sort_by_time(block_.order);
  return std::move(block_);
}

}  // namespace

std::optional<DecodedBlock> decode_allocations(Bytes events, const BlockHeader& header, const BlockNumbers& numbers,
                                               DecodedBlock used) {
  return AllocationDecoder(events, header, numbers, std::move(used)).decode();
}

}  // namespace culprit
