#include "trace/event_encoder.h"

#include <algorithm>

namespace culprit {

using trace_format::Column;
using trace_format::RareKind;

size_t EventEncoder::RecipeHash::operator()(const Recipe& recipe) const {
  constexpr uint64_t golden = 0x9e3779b97f4a7c15;
  uint64_t hash = (uint64_t{index_of(recipe.stack)} << 8 | recipe.flags) * golden;
  hash = (hash ^ (hash >> 32) ^ (uint64_t{index_of(recipe.call)} << 32 | index_of(recipe.type))) * golden;
  return hash ^ (hash >> 32);
}

void EventEncoder::begin_event(Time time, uint32_t section) {
  if (count_ == 0) base_time_ = first_time_ = last_time_ = time;
  first_time_ = std::min(first_time_, time);
  last_time_ = std::max(last_time_, time);
  ++count_;
  if (runs_.empty() || runs_.back().section != section) {
    runs_.push_back({section, 0});
    size_ += 4;
  }
  ++runs_.back().length;
}

uint32_t EventEncoder::section_of(const HandleEvent& event) {
  uint64_t key = uint64_t{index_of(event.process)} << 32 | event.tid;
  if (!sections_.empty() && key == last_section_key_) return last_section_;
  auto [place, is_new] = section_index_.try_emplace(key, static_cast<uint32_t>(sections_.size()));
  if (is_new) {
    sections_.emplace_back();
    sections_.back().process = definitions_.local(event.process);
    sections_.back().tid = event.tid;
    sections_.back().last_time = base_time_;
    size_ += 16;
  }
  last_section_key_ = key;
  return last_section_ = place->second;
}

uint32_t EventEncoder::recipe_of(const HandleEvent& event) {
  auto flags = static_cast<uint8_t>(event.action);
  if (event.other != -1) flags |= trace_format::recipe_has_other;
  if (event.name != StringId::none) flags |= trace_format::recipe_has_name;
  auto [place, is_new] = recipe_index_.try_emplace(Recipe{event.stack, event.call, event.type, flags},
                                                   static_cast<uint32_t>(recipe_index_.size()));
  if (is_new) {
    int64_t stack = definitions_.local(event.stack);
    recipe_flags_.put_byte(flags);
    recipe_calls_.put_uleb128(definitions_.local(event.call));
    recipe_types_.put_uleb128(definitions_.local(event.type));
    recipe_stacks_.put_zigzag(stack - last_recipe_stack_);
    last_recipe_stack_ = stack;
    last_names_.push_back(0);
    size_ += 6;
  }
  return place->second;
}

void EventEncoder::add(const HandleEvent& event) {
  if (count_ == 0) base_time_ = event.time;
  uint32_t index = section_of(event);
  begin_event(event.time, index + 1);
  Section& section = sections_[index];

  uint32_t recipe = recipe_of(event);
  section.column(Column::recipe).put_uleb128(recipe);
  // Jitter fills the low byte and nothing compresses it; apart from it, the rest is nearly always the same.
  uint64_t time = zigzag(difference(event.time, section.last_time));
  section.column(Column::time_low).put_byte(static_cast<uint8_t>(time));
  section.column(Column::time_high).put_uleb128(time >> 8);
  section.column(Column::value).put_zigzag(difference(event.value, section.last_value));
  if (event.other != -1) section.column(Column::other).put_zigzag(difference(event.other, event.value));
  if (event.name != StringId::none) {
    int64_t name = definitions_.local(event.name);
    names_.put_zigzag(name - last_names_[recipe]);
    last_names_[recipe] = name;
  }
  section.last_time = event.time;
  section.last_value = event.value;
  ++section.count;
  size_ += 5;
}

void EventEncoder::add_rare(RareKind kind, Time time, const ByteWriter& body) {
  begin_event(time, 0);
  size_t old_size = rare_.size();
  rare_.put_byte(static_cast<uint8_t>(kind));
  rare_.put_raw(time);
  rare_.put_text(body.view());
  size_ += rare_.size() - old_size;
}

void EventEncoder::add(const ProcessEvent& event) {
  ByteWriter body;
  body.put_byte(static_cast<uint8_t>(event.change));
  body.put_uleb128(definitions_.local(event.process));
  body.put_uleb128(definitions_.local(event.parent));
  body.put_zigzag(event.status);
  body.put_uleb128(event.tid);
  body.put_uleb128(definitions_.local(event.stack));
  body.put_uleb128(event.handle_limit);
  add_rare(RareKind::process, event.time, body);
}

void EventEncoder::add(const ThreadEvent& event) {
  ByteWriter body;
  body.put_uleb128(definitions_.local(event.process));
  body.put_uleb128(event.tid);
  body.put_uleb128(definitions_.local(event.name));
  add_rare(RareKind::thread, event.time, body);
}

void EventEncoder::add(const HandleSnapshot& snapshot) {
  ByteWriter body;
  body.put_zigzag(difference(snapshot.end, snapshot.begin));
  body.put_uleb128(definitions_.local(snapshot.process));
  body.put_byte(static_cast<uint8_t>(snapshot.reason));
  body.put_byte(snapshot.held ? 1 : 0);
  body.put_uleb128(snapshot.handle_limit);
  body.put_uleb128(snapshot.entries.size());
  int64_t last_value = 0;
  for (const SnapshotEntry& entry : snapshot.entries) {
    body.put_zigzag(difference(entry.value, last_value));
    body.put_uleb128(definitions_.local(entry.type));
    body.put_uleb128(definitions_.local(entry.name));
    body.put_uleb128(entry.object);
    last_value = entry.value;
  }
  add_rare(RareKind::snapshot, snapshot.begin, body);
}

void EventEncoder::add(const Mark& mark) {
  ByteWriter body;
  body.put_text(mark.name);
  add_rare(RareKind::mark, mark.time, body);
}

void EventEncoder::add(const UnreachableBlocks& unreachable) {
  ByteWriter body;
  body.put_uleb128(definitions_.local(unreachable.process));
  body.put_text(unreachable.why_not);
  body.put_uleb128(unreachable.blocks.size());
  uint64_t last = 0;
  for (const UnreachableBlocks::Block& block : unreachable.blocks) {
    body.put_zigzag(static_cast<int64_t>(block.address - last));
    body.put_byte(block.is_indirect ? 1 : 0);
    last = block.address;
  }
  for (const UnreachableBlocks::Block& block : unreachable.blocks)
    if (block.is_indirect) body.put_zigzag(block.owner == 0 ? 0 : static_cast<int64_t>(block.owner - block.address));
  add_rare(RareKind::unreachable, unreachable.time, body);
}

void EventEncoder::add(const MappingEvent& mapping) {
  ByteWriter body;
  body.put_byte(static_cast<uint8_t>(mapping.action));
  body.put_byte(static_cast<uint8_t>(mapping.kind));
  body.put_uleb128(definitions_.local(mapping.process));
  body.put_uleb128(mapping.tid);
  body.put_uleb128(definitions_.local(mapping.stack));
  body.put_uleb128(mapping.address);
  body.put_uleb128(mapping.size);
  add_rare(RareKind::mapping, mapping.time, body);
}

std::string EventEncoder::take() {
  ByteWriter out;
  out.put_raw(base_time_);
  out.put_uleb128(sections_.size());
  for (const Section& section : sections_) {
    out.put_uleb128(section.process);
    out.put_uleb128(section.tid);
    out.put_uleb128(section.count);
  }
  out.put_uleb128(runs_.size());
  for (const Run& run : runs_) {
    out.put_uleb128(run.section);
    out.put_uleb128(run.length);
  }
  out.put_uleb128(recipe_index_.size());
  for (const ByteWriter* column : {&recipe_flags_, &recipe_calls_, &recipe_types_, &recipe_stacks_}) {
    out.put_bytes(column->view());
  }
  // By column, then by section: so that like lies beside like for zstd, however many threads there are.
  for (size_t column = 0; column < trace_format::column_count; ++column) {
    if (column == static_cast<size_t>(Column::name) || column == static_cast<size_t>(Column::rare)) {
      out.put_text(column == static_cast<size_t>(Column::name) ? names_.view() : rare_.view());
      continue;
    }
    size_t size = 0;
    for (const Section& section : sections_) size += section.columns[column].size();
    out.put_uleb128(size);
    for (const Section& section : sections_) out.put_bytes(section.columns[column].view());
  }

  sections_.clear();
  section_index_.clear();
  recipe_index_.clear();
  for (ByteWriter* writer : {&recipe_flags_, &recipe_calls_, &recipe_types_, &recipe_stacks_, &names_, &rare_})
    writer->clear();
  last_recipe_stack_ = 0;
  last_names_.clear();
  runs_.clear();
  count_ = 0;
  size_ = 0;
  return std::string(out.view());
}

}  // namespace culprit
