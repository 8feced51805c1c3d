// The block of allocations that allocation_encoder.cc writes, read back.
#include <algorithm>
#include <array>
#include <utility>

#include "trace/address_history.h"
#include "trace/block_heads.h"
#include "trace/column_reader.h"
#include "trace/event_decoder.h"
#include "trace/trace_format.h"

namespace culprit {

using namespace trace_format;

namespace {

class AllocationDecoder {
 public:
  AllocationDecoder(Bytes events, const BlockHeader& header, const BlockNumbers& numbers, DecodedBlock used)
      : header_(header), numbers_(numbers), reader_(events), block_(std::move(used)) {}

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
  bool runs_match();
  void put_in_order();

  const BlockHeader& header_;
  const BlockNumbers& numbers_;
  ByteReader reader_;
  BlockHeads heads_;
  std::vector<Recipe> recipes_;
  std::array<ColumnReader, allocation_column_count> columns_;
  AddressHistory addresses_;
  DecodedBlock block_;
  size_t done_ = 0;        // of block_.allocations
  bool in_order_ = true;   // of time and of recording, as they lie
  bool in_bounds_ = true;  // that the header has for their times
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
  // Copies, as nothing else can change those: they need not be looked up in memory again after each event.
  std::array<ColumnReader, allocation_column_count> columns = columns_;
  auto of = [&](AllocationColumn which) -> ColumnReader& { return columns[static_cast<size_t>(which)]; };
  ColumnReader &numbers = of(AllocationColumn::recipe), &time_low = of(AllocationColumn::time_low),
               &time_high = of(AllocationColumn::time_high), &sizes = of(AllocationColumn::size),
               &addresses = of(AllocationColumn::address);
  if (head.count > block_.allocations.size() - done_) return reader_.fail();
  Time time = heads_.base_time, last_time = INT64_MIN;
  addresses_.clear();
  for (uint32_t i = 0; i < head.count; ++i) {
    const uint64_t number = numbers.take_uleb128();
    if (number >= recipes_.size()) return reader_.fail();
    Recipe& recipe = recipes_[number];
    if (recipe.section != section) {
      recipe.section = section;
      recipe.last_size = 0;
    }
    const uint64_t low = time_low.take_byte();
    time = added(time, unzigzag(time_high.take_uleb128() << 8 | low));
    in_order_ &= time >= last_time;
    in_bounds_ &= time >= header_.first_time && time <= header_.last_time;
    last_time = time;
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
    if (!address) return reader_.fail();
    // Written where it stays: a copy of an event that was just put together field by field stalls.
    AllocationEvent& event = block_.allocations[done_ + i];
    event.time = time;
    event.address = *address;
    event.size = size;
    event.process = head.process;
    event.tid = head.tid;
    event.stack = recipe.stack;
    event.function = recipe.function;
    event.action = recipe.action;
  }
  done_ += head.count;
  columns_ = columns;
}

// Do the runs have as many events of each section as it has?
bool AllocationDecoder::runs_match() {
  std::vector<uint64_t> counts(heads_.sections.size());
  for (const Run& run : heads_.runs) {
    if (run.section >= counts.size() || run.length > heads_.sections[run.section].count - counts[run.section])
      return false;
    counts[run.section] += run.length;
  }
  return std::ranges::equal(counts, heads_.sections, {}, {}, &SectionHead::count);
}

// By time, and by the order of recording, which the runs tell.
void AllocationDecoder::put_in_order() {
  std::vector<AllocationEvent>& events = block_.allocations;
  std::vector<EventPlace>& order = block_.order;
  order.resize(events.size());
  std::vector<uint32_t> next{0};  // of each section
  for (const SectionHead& head : heads_.sections) next.push_back(next.back() + head.count);
  uint32_t recorded = 0;
  for (const Run& run : heads_.runs) {
    for (uint64_t i = 0; i < run.length; ++i, ++recorded) {
      const uint32_t slot = next[run.section]++;
      order[slot] = {events[slot].time, recorded, slot};
    }
  }
  sort_by_time(order);
  // Each event to its place: from where one is taken, the one that belongs there is taken to …
  for (uint32_t start = 0; start < order.size(); ++start) {
    if (order[start].slot == start) continue;
    const AllocationEvent first = events[start];
    uint32_t hole = start;
    while (order[hole].slot != start) {
      const uint32_t from = std::exchange(order[hole].slot, hole);
      events[hole] = events[from];
      hole = from;
    }
    events[hole] = first;
    order[hole].slot = hole;
  }
}

std::optional<DecodedBlock> AllocationDecoder::decode() {
  heads_ = read_block_heads(reader_, header_, numbers_.processes);
  read_recipes();
  for (ColumnReader& column : columns_) column = ColumnReader(reader_.take_bytes(reader_.take_uleb128()));
  // Every event has a byte there: a count is no more than the bytes there are.
  if (header_.event_count > columns_[static_cast<size_t>(AllocationColumn::time_low)].remaining()) return std::nullopt;
  block_.allocations.resize(header_.event_count);
  in_order_ = heads_.sections.size() == 1;
  for (uint32_t i = 0; i < heads_.sections.size() && reader_; ++i) read_section(i);
  const bool all_read = std::ranges::all_of(columns_, [](const ColumnReader& column) { return bool(column); });
  if (!reader_ || !all_read || !in_bounds_ || done_ != header_.event_count || !runs_match()) return std::nullopt;
  if (!in_order_) put_in_order();
  block_.order.clear();
  return std::move(block_);
}

}  // namespace

std::optional<DecodedBlock> decode_allocations(Bytes events, const BlockHeader& header, const BlockNumbers& numbers,
                                               DecodedBlock used) {
  return AllocationDecoder(events, header, numbers, std::move(used)).decode();
}

}  // namespace culprit
