// Turns the allocations of one block into bytes: columns, one after the other by thread. docs/trace-format.md says how
// they are meant.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "model/event_sink.h"
#include "trace/address_history.h"
#include "trace/byte_writer.h"
#include "trace/definitions_writer.h"
#include "trace/trace_format.h"

namespace culprit {

class AllocationEncoder {
 public:
  explicit AllocationEncoder(DefinitionsWriter& definitions) : definitions_(definitions) {}

  // Only kept: whoever records has no time to lose.
  void add(const AllocationEvent& event);

  uint32_t count() const { return static_cast<uint32_t>(events_.size()); }
  Time first_time() const { return first_time_; }
  Time last_time() const { return last_time_; }
  size_t size() const { return events_.size() * bytes_per_event; }  // encoded, roughly

  std::string take();  // ready for the next block afterwards

 private:
  static constexpr size_t bytes_per_event = 6;

  struct Run {
    uint32_t section = 0, length = 0;
  };
  // What is the same whenever one line of a program allocates again.
  struct Recipe {
    uint8_t flags = 0;
    uint32_t section = 0;  // that the rest belongs to
    uint64_t last_size = 0;
  };
  struct KnownRecipe {
    uint32_t block = 0, number = 0;
  };
  using Columns = std::array<ByteWriter, trace_format::allocation_column_count>;

  void find_sections();
  uint32_t recipe_of(const AllocationEvent& event);
  uint32_t new_recipe(uint8_t flags, StackId stack);
  void put_section(uint32_t number, Columns& columns);
  void clear();

  DefinitionsWriter& definitions_;
  std::vector<AllocationEvent> events_;
  Time first_time_ = 0, last_time_ = 0;

  // Of the block being put together.
  std::vector<std::vector<uint32_t>> sections_;  // one per thread: indices into events_
  std::vector<Run> runs_;                        // of sections_
  std::vector<Recipe> recipes_;
  ByteWriter recipe_flags_, recipe_stacks_;
  int64_t last_recipe_stack_ = 0;
  AddressEncoder addresses_;
  uint32_t block_ = 1;
  std::vector<KnownRecipe> by_stack_;                     // index: StackId; valid if of block_ …
  std::unordered_map<uint64_t, uint32_t> other_recipes_;  // … and where one stack has several, by stack and flags
  std::array<KnownRecipe, allocator_function_count> releases_{};
};

}  // namespace culprit
