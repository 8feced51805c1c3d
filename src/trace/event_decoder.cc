#include "trace/event_decoder.h"

#include <algorithm>
#include <array>
#include <utility>

#include "trace/block_heads.h"
#include "trace/byte_writer.h"
#include "trace/trace_format.h"

namespace culprit {

using namespace trace_format;

namespace {

struct Recipe {
  HandleAction action = HandleAction::open;
  bool has_other = false, has_name = false;
  int64_t last_name = 0;
  StringId call = StringId::none, type = StringId::none;
  StackId stack = StackId::none;
};

class EventDecoder {
 public:
  EventDecoder(Bytes events, const BlockHeader& header, const BlockNumbers& numbers)
      : header_(header), numbers_(numbers), reader_(events) {}

  std::optional<DecodedBlock> decode();

 private:
  void read_recipes();
  void read_columns();
  void read_section(const SectionHead& head);
  void read_rares();
  bool number_places();
  StringId read_name(Recipe& recipe);

  std::optional<RareEvent> read_rare(RareKind kind, Time time, ByteReader& body);
  RareEvent read_process(Time time, ByteReader& body);
  RareEvent read_thread(Time time, ByteReader& body);
  RareEvent read_snapshot(Time time, ByteReader& body);
  RareEvent read_unreachable(Time time, ByteReader& body);
  RareEvent read_mapping(Time time, ByteReader& body);

  template <typename Enum>
  static Enum take_enum(ByteReader& reader, Enum last) {
    auto value = reader.take<uint8_t>();
    if (value > static_cast<uint8_t>(last)) reader.fail();
    return static_cast<Enum>(value);
  }
  ByteReader& column(Column which) { return columns_[static_cast<size_t>(which)]; }

  const BlockHeader& header_;
  const BlockNumbers& numbers_;
  ByteReader reader_;
  BlockHeads heads_;
  std::vector<Recipe> recipes_;
  std::vector<ByteReader> columns_;
  std::vector<uint32_t> rare_slots_;  // of each rare record, in order; no_slot: of an unknown kind
  std::vector<Time> rare_times_;
  DecodedBlock block_;

  static constexpr uint32_t no_slot = UINT32_MAX;
};

void EventDecoder::read_recipes() {
  recipes_.resize(reader_.take_count(reader_.take_uleb128(), 4));
  for (Recipe& recipe : recipes_) {
    auto flags = reader_.take<uint8_t>();
    auto action = static_cast<uint8_t>(flags & recipe_action_mask);
    if (action > static_cast<uint8_t>(HandleAction::close_range)) reader_.fail();
    recipe.action = static_cast<HandleAction>(action);
    recipe.has_other = (flags & recipe_has_other) != 0;
    recipe.has_name = (flags & recipe_has_name) != 0;
  }
  for (Recipe& recipe : recipes_) recipe.call = look_up(numbers_.strings, reader_.take_uleb128(), reader_);
  for (Recipe& recipe : recipes_) recipe.type = look_up(numbers_.strings, reader_.take_uleb128(), reader_);
  int64_t stack = 0;
  for (Recipe& recipe : recipes_) {
    stack = added(stack, unzigzag(reader_.take_uleb128()));
    recipe.stack = look_up(numbers_.stacks, static_cast<uint64_t>(stack), reader_);
  }
}

void EventDecoder::read_columns() {
  for (size_t i = 0; i < column_count; ++i) columns_.emplace_back(reader_.take_bytes(reader_.take_uleb128()));
}

void EventDecoder::read_section(const SectionHead& head) {
  ByteReader &recipe_column = column(Column::recipe), &time_low = column(Column::time_low),
             &time_high = column(Column::time_high), &values = column(Column::value);
  // Every event has a byte here: a count is no more than the bytes there are.
  if (head.count > time_low.remaining()) return time_low.fail();
  HandleEvent event{.time = heads_.base_time, .value = 0, .process = head.process, .tid = head.tid};
  for (uint32_t i = 0; i < head.count; ++i) {
    uint64_t recipe_number = recipe_column.take_uleb128();
    if (recipe_number >= recipes_.size()) return recipe_column.fail();
    const Recipe& recipe = recipes_[recipe_number];
    uint64_t low = time_low.take<uint8_t>();
    event.time = added(event.time, unzigzag(time_high.take_uleb128() << 8 | low));
    event.value = added(event.value, unzigzag(values.take_uleb128()));
    event.other = recipe.has_other ? added(event.value, unzigzag(column(Column::other).take_uleb128())) : -1;
    event.name = id_at<StringId>(recipe_number);  // until read_name, which needs it
    event.stack = recipe.stack;
    event.call = recipe.call;
    event.type = recipe.type;
    event.action = recipe.action;
    block_.handles.push_back(event);
  }
}

RareEvent EventDecoder::read_process(Time time, ByteReader& body) {
  ProcessEvent event{.time = time};
  event.change = take_enum(body, ProcessChange::killed);
  event.process = look_up(numbers_.processes, body.take_uleb128(), body);
  event.parent = look_up(numbers_.processes, body.take_uleb128(), body);
  event.status = static_cast<int32_t>(unzigzag(body.take_uleb128()));
  event.tid = static_cast<uint32_t>(body.take_uleb128());
  event.stack = look_up(numbers_.stacks, body.take_uleb128(), body);
  event.handle_limit = body.take_uleb128();
  return event;
}

RareEvent EventDecoder::read_thread(Time time, ByteReader& body) {
  ThreadEvent event{.time = time};
  event.process = look_up(numbers_.processes, body.take_uleb128(), body);
  event.tid = static_cast<uint32_t>(body.take_uleb128());
  event.name = look_up(numbers_.strings, body.take_uleb128(), body);
  return event;
}

RareEvent EventDecoder::read_snapshot(Time time, ByteReader& body) {
  HandleSnapshot snapshot{.begin = time};
  snapshot.end = added(time, unzigzag(body.take_uleb128()));
  snapshot.process = look_up(numbers_.processes, body.take_uleb128(), body);
  snapshot.reason = take_enum(body, SnapshotReason::on_demand);
  snapshot.held = body.take<uint8_t>() != 0;
  snapshot.handle_limit = body.take_uleb128();
  int64_t value = 0;
  for (uint64_t count = body.take_count(body.take_uleb128(), 4); count > 0 && body; --count) {
    SnapshotEntry entry;
    value = added(value, unzigzag(body.take_uleb128()));
    entry.value = value;
    entry.type = look_up(numbers_.strings, body.take_uleb128(), body);
    entry.name = look_up(numbers_.strings, body.take_uleb128(), body);
    entry.object = body.take_uleb128();
    snapshot.entries.push_back(entry);
  }
  // The order is the model's promise, so it is not left to the file.
  auto by_value = [](const SnapshotEntry& a, const SnapshotEntry& b) { return a.value < b.value; };
  if (!std::is_sorted(snapshot.entries.begin(), snapshot.entries.end(), by_value)) {
    std::stable_sort(snapshot.entries.begin(), snapshot.entries.end(), by_value);
  }
  return snapshot;
}

RareEvent EventDecoder::read_unreachable(Time time, ByteReader& body) {
  UnreachableBlocks unreachable{.time = time};
  unreachable.process = look_up(numbers_.processes, body.take_uleb128(), body);
  unreachable.why_not = as_text(body.take_bytes(body.take_uleb128()));
  uint64_t address = 0;
  for (uint64_t count = body.take_count(body.take_uleb128(), 2); count > 0 && body; --count) {
    address += static_cast<uint64_t>(unzigzag(body.take_uleb128()));
    unreachable.blocks.push_back({address, (body.take<uint8_t>() & 1) != 0});
  }
  for (UnreachableBlocks::Block& block : unreachable.blocks) {
    if (body.at_end()) break;  // recordings before version 1.4
    if (!block.is_indirect) continue;
    const int64_t distance = unzigzag(body.take_uleb128());
    block.owner = distance == 0 ? 0 : block.address + static_cast<uint64_t>(distance);
  }
  // The order is the model's promise, so it is not left to the file.
  std::ranges::stable_sort(unreachable.blocks, {}, &UnreachableBlocks::Block::address);
  return unreachable;
}

RareEvent EventDecoder::read_mapping(Time time, ByteReader& body) {
  MappingEvent mapping{.time = time};
  mapping.action = take_enum(body, MappingAction::leave);
  mapping.kind = take_enum(body, MappingKind::moved);
  mapping.process = look_up(numbers_.processes, body.take_uleb128(), body);
  mapping.tid = static_cast<uint32_t>(body.take_uleb128());
  mapping.stack = look_up(numbers_.stacks, body.take_uleb128(), body);
  mapping.address = body.take_uleb128();
  mapping.size = body.take_uleb128();
  return mapping;
}

std::optional<RareEvent> EventDecoder::read_rare(RareKind kind, Time time, ByteReader& body) {
  switch (kind) {
    case RareKind::process:
      return read_process(time, body);
    case RareKind::thread:
      return read_thread(time, body);
    case RareKind::snapshot:
      return read_snapshot(time, body);
    case RareKind::mark:
      return Mark{.time = time, .name = std::string(as_text(body.take_bytes(body.take_uleb128())))};
    case RareKind::unreachable:
      return read_unreachable(time, body);
    case RareKind::mapping:
      return read_mapping(time, body);
  }
  return std::nullopt;
}

void EventDecoder::read_rares() {
  ByteReader& rare = column(Column::rare);
  while (rare && !rare.at_end()) {
    auto kind = static_cast<RareKind>(rare.take<uint8_t>());
    auto time = rare.take<int64_t>();
    ByteReader body(rare.take_bytes(rare.take_uleb128()));
    auto event = read_rare(kind, time, body);
    if (!body) rare.fail();
    if (!rare) return;
    rare_times_.push_back(time);
    rare_slots_.push_back(event ? static_cast<uint32_t>(block_.handles.size() + block_.rares.size()) : no_slot);
    block_.unknown += event ? 0 : 1;
    if (event) block_.rares.push_back(std::move(*event));
  }
}

StringId EventDecoder::read_name(Recipe& recipe) {
  if (!recipe.has_name) return StringId::none;
  ByteReader& names = column(Column::name);
  recipe.last_name = added(recipe.last_name, unzigzag(names.take_uleb128()));
  return look_up(numbers_.strings, static_cast<uint64_t>(recipe.last_name), names);
}

// Walks the runs to give every event its number in the order of recording, and its name, as names are told in that
// order. False: runs and events do not match.
bool EventDecoder::number_places() {
  struct Cursor {
    uint32_t next, end;
  };
  std::vector<Cursor> cursors{{0, static_cast<uint32_t>(rare_slots_.size())}};
  for (uint32_t start = 0; const SectionHead& head : heads_.sections) {
    cursors.push_back({start, start + head.count});
    start += head.count;
  }
  block_.order.resize(block_.handles.size() + block_.rares.size());
  uint32_t recorded = 0;
  for (const Run& run : heads_.runs) {
    if (run.section >= cursors.size()) return false;
    Cursor& cursor = cursors[run.section];
    if (run.length > cursor.end - cursor.next) return false;
    for (uint64_t i = 0; i < run.length; ++i, ++cursor.next, ++recorded) {
      uint32_t slot = run.section == 0 ? rare_slots_[cursor.next] : cursor.next;
      if (slot == no_slot) continue;
      Time time = run.section == 0 ? rare_times_[cursor.next] : block_.handles[slot].time;
      if (time < header_.first_time || time > header_.last_time) return false;
      if (run.section != 0) {
        HandleEvent& event = block_.handles[slot];
        event.name = read_name(recipes_[index_of(event.name)]);
      }
      block_.order[slot] = {time, recorded, slot};
    }
  }
  return recorded == header_.event_count &&
         std::all_of(cursors.begin(), cursors.end(), [](const Cursor& cursor) { return cursor.next == cursor.end; });
}

std::optional<DecodedBlock> EventDecoder::decode() {
  heads_ = read_block_heads(reader_, header_, numbers_.processes);
  read_recipes();
  read_columns();
  if (!reader_) return std::nullopt;
  block_.handles.reserve(std::min<size_t>(header_.event_count, column(Column::time_low).remaining()));
  for (const SectionHead& head : heads_.sections) read_section(head);
  read_rares();
  auto all_read = [&] {
    return std::all_of(columns_.begin(), columns_.end(), [](const ByteReader& c) { return bool(c); });
  };
  if (!all_read() || !number_places() || !all_read()) return std::nullopt;
  sort_by_time(block_.order);
  return std::move(block_);
}

}  // namespace

void DecodedBlock::drop_until(Time time) {
  std::erase_if(order, [=](const EventPlace& place) { return place.time <= time; });
  std::erase_if(allocations, [=](const AllocationEvent& event) { return event.time <= time; });
}

void DecodedBlock::send_one(size_t position, EventSink& sink) const {
  uint32_t slot = order[position].slot;
  if (slot < handles.size()) return sink.on_handle(handles[slot]);
  struct Visitor {
    EventSink& sink;
    void operator()(const ProcessEvent& event) const { sink.on_process(event); }
    void operator()(const ThreadEvent& event) const { sink.on_thread(event); }
    void operator()(const HandleSnapshot& snapshot) const { sink.on_snapshot(snapshot); }
    void operator()(const Mark& mark) const { sink.on_mark(mark); }
    void operator()(const UnreachableBlocks& unreachable) const { sink.on_unreachable(unreachable); }
    void operator()(const MappingEvent& mapping) const { sink.on_mapping(mapping); }
  };
  std::visit(Visitor{sink}, rares[slot - handles.size()]);
}

size_t DecodedBlock::send(size_t position, Time until, EventSink& sink) const {
  size_t end = position + 1;
  if (allocations.empty()) {
    send_one(position, sink);
    for (; end < order.size() && order[end].time < until; ++end) send_one(end, sink);
    return end;
  }
  const auto rest = std::span(allocations).subspan(end);
  end += static_cast<size_t>(std::ranges::lower_bound(rest, until, {}, &AllocationEvent::time) - rest.begin());
  sink.on_allocations(std::span(allocations).subspan(position, end - position));
  return end;
}

std::optional<DecodedBlock> decode_events(Bytes events, const BlockHeader& header, const BlockNumbers& numbers) {
  return EventDecoder(events, header, numbers).decode();
}

}  // namespace culprit
