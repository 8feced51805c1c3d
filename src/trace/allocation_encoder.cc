#include "trace/allocation_encoder.h"

#include <algorithm>

namespace culprit {

using Column = trace_format::AllocationColumn;

void AllocationEncoder::add(const AllocationEvent& event) {
  if (events_.empty()) first_time_ = last_time_ = event.time;
  first_time_ = std::min(first_time_, event.time);
  last_time_ = std::max(last_time_, event.time);
  events_.push_back(event);
}

void AllocationEncoder::find_sections() {
  std::unordered_map<uint64_t, uint32_t> index;  // by process id and tid
  uint64_t last_key = 0;
  uint32_t section = 0;
  for (uint32_t i = 0; i < events_.size(); ++i) {
    const uint64_t key = uint64_t{index_of(events_[i].process)} << 32 | events_[i].tid;
    if (sections_.empty() || key != last_key) {
      auto [place, is_new] = index.try_emplace(key, static_cast<uint32_t>(sections_.size()));
      if (is_new) sections_.emplace_back();
      section = place->second;
      last_key = key;
      runs_.push_back({section, 0});
    }
    ++runs_.back().length;
    sections_[section].push_back(i);
  }
}

uint32_t AllocationEncoder::new_recipe(uint8_t flags, StackId id) {
  const int64_t stack = definitions_.local(id);
  recipe_flags_.put_byte(flags);
  recipe_stacks_.put_zigzag(stack - last_recipe_stack_);
  last_recipe_stack_ = stack;
  recipes_.push_back({.flags = flags});
  return static_cast<uint32_t>(recipes_.size() - 1);
}

uint32_t AllocationEncoder::recipe_of(const AllocationEvent& event) {
  const bool is_release = event.action == AllocationAction::release;
  auto flags = static_cast<uint8_t>(static_cast<uint8_t>(event.function) << 1);
  if (is_release) flags |= trace_format::recipe_is_release;
  if (index_of(event.stack) >= by_stack_.size()) by_stack_.resize(2 * index_of(event.stack) + 1024);
  KnownRecipe& usual = is_release ? releases_[static_cast<size_t>(event.function)] : by_stack_[index_of(event.stack)];
  if (usual.block != block_) usual = {block_, new_recipe(flags, event.stack)};
  if (recipes_[usual.number].flags == flags) return usual.number;
  auto [place, is_new] = other_recipes_.try_emplace(uint64_t{index_of(event.stack)} << 8 | flags, 0);
  if (is_new) place->second = new_recipe(flags, event.stack);
  return place->second;
}

void AllocationEncoder::put_section(uint32_t number, Columns& columns) {
  auto column = [&](Column which) -> ByteWriter& { return columns[static_cast<size_t>(which)]; };
  Time last_time = events_.front().time;
  addresses_.clear();
  for (uint32_t index : sections_[number]) {
    const AllocationEvent& event = events_[index];
    const uint32_t recipe_number = recipe_of(event);
    Recipe& recipe = recipes_[recipe_number];
    if (recipe.section != number) recipe = {recipe.flags, number, 0};
    column(Column::recipe).put_uleb128(recipe_number);
    // Jitter fills the low byte and nothing compresses it; apart from it, the rest is nearly always the same.
    const uint64_t time = zigzag(difference(event.time, last_time));
    column(Column::time_low).put_byte(static_cast<uint8_t>(time));
    column(Column::time_high).put_uleb128(time >> 8);
    ByteWriter& addresses = column(Column::address);
    if (event.action == AllocationAction::allocate) {
      column(Column::size)
          .put_zigzag(difference(static_cast<int64_t>(event.size), static_cast<int64_t>(recipe.last_size)));
      recipe.last_size = event.size;
      addresses_.put_allocated(addresses, event.address, event.size);
    } else {
      addresses_.put_released(addresses, event.address);
    }
    last_time = event.time;
  }
}

std::string AllocationEncoder::take() {
  if (events_.empty()) return {};
  find_sections();
  ByteWriter out;
  out.put_raw(events_.front().time);
  out.put_uleb128(sections_.size());
  for (const auto& section : sections_) {
    const AllocationEvent& first = events_[section.front()];
    out.put_uleb128(definitions_.local(first.process));
    out.put_uleb128(first.tid);
    out.put_uleb128(section.size());
  }
  out.put_uleb128(runs_.size());
  for (const Run& run : runs_) {
    out.put_uleb128(run.section);
    out.put_uleb128(run.length);
  }
  Columns columns;
  for (uint32_t i = 0; i < sections_.size(); ++i) put_section(i, columns);
  out.put_uleb128(recipes_.size());
  out.put_bytes(recipe_flags_.view());
  out.put_bytes(recipe_stacks_.view());
  for (const ByteWriter& column : columns) out.put_text(column.view());
  clear();
  return std::string(out.view());
}

void AllocationEncoder::clear() {
  events_.clear();
  sections_.clear();
  runs_.clear();
  recipes_.clear();
  other_recipes_.clear();
  recipe_flags_.clear();
  recipe_stacks_.clear();
  last_recipe_stack_ = 0;
  ++block_;
}

}  // namespace culprit
