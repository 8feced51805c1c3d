// Turns the events of one block into bytes: handle events as columns, one after the other by thread, rare events as
// records. The columns are what makes a recording small; docs/trace-format.md says how they are meant.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "model/event_sink.h"
#include "trace/byte_writer.h"
#include "trace/definitions_writer.h"
#include "trace/trace_format.h"

namespace culprit {

class EventEncoder {
 public:
  explicit EventEncoder(DefinitionsWriter& definitions) : definitions_(definitions) {}

  void add(const HandleEvent& event);
  void add(const ProcessEvent& event);
  void add(const ThreadEvent& event);
  void add(const HandleSnapshot& snapshot);
  void add(const Mark& mark);
  void add(const UnreachableBlocks& unreachable);
  void add(const MappingEvent& mapping);

  uint32_t count() const { return count_; }
  Time first_time() const { return first_time_; }
  Time last_time() const { return last_time_; }
  size_t size() const { return size_; }  // bytes, roughly

  std::string take();  // ready for the next block afterwards

 private:
  // A thread's handle events: every column tells the difference to the thread's event before.
  struct Section {
    uint32_t process = 0, tid = 0, count = 0;  // process: local number
    Time last_time = 0;
    int64_t last_value = 0;
    std::array<ByteWriter, trace_format::column_count> columns;
    ByteWriter& column(trace_format::Column which) { return columns[static_cast<size_t>(which)]; }
  };
  struct Run {
    uint32_t section = 0, length = 0;
  };
  // What is the same whenever one line of a program does the same thing.
  struct Recipe {
    StackId stack = StackId::none;
    StringId call = StringId::none, type = StringId::none;
    uint8_t flags = 0;
    bool operator==(const Recipe&) const = default;
  };
  struct RecipeHash {
    size_t operator()(const Recipe& recipe) const;
  };

  void begin_event(Time time, uint32_t section);
  uint32_t section_of(const HandleEvent& event);
  uint32_t recipe_of(const HandleEvent& event);
  void add_rare(trace_format::RareKind kind, Time time, const ByteWriter& body);

  DefinitionsWriter& definitions_;
  std::vector<Section> sections_;
  std::unordered_map<uint64_t, uint32_t> section_index_;  // by process id and tid
  uint64_t last_section_key_ = 0;
  uint32_t last_section_ = 0;
  std::unordered_map<Recipe, uint32_t, RecipeHash> recipe_index_;
  ByteWriter recipe_flags_, recipe_calls_, recipe_types_, recipe_stacks_;
  int64_t last_recipe_stack_ = 0;
  std::vector<int64_t> last_names_;  // by recipe: the same line mostly opens the same thing again
  ByteWriter names_;                 // over all threads, in order of recording
  std::vector<Run> runs_;            // section 0: rare events; 1 + i: sections_[i]
  ByteWriter rare_;
  uint32_t count_ = 0;
  Time base_time_ = 0, first_time_ = 0, last_time_ = 0;
  size_t size_ = 0;
};

}  // namespace culprit
