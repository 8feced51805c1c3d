// What stands in a column of grouped handles, as words.
#pragma once

#include <cstdint>
#include <string>

#include "analysis/handle_columns.h"
#include "analysis/life_replay.h"
#include "analysis/stack_symbols.h"
#include "analysis/trace_words.h"

namespace culprit {

enum class ColumnState : uint8_t {
  none,              // an ordinary value
  still_open,        // closing: nobody has closed it
  hidden_by_exit,    // closing: only the end of its process did
  vanished,          // closing: it was gone, nobody saw how
  before_recording,  // creating: it was there before
  unknown_origin,    // creating: found open, nobody saw it made
  unseen,            // creating: inherited from one whose creation was not seen
  unknown,           // there is nothing to say: no name, no stack, nobody to blame
};
std::string_view name_of(ColumnState state);  // "still open", "hidden by exit" …

// Raw texts, as in HandleReport.
struct ColumnValue {
  HandleColumn column = HandleColumn::owning;
  ColumnState state = ColumnState::none;
  std::string text;                              // name of the process, type, object, thread, module, function
  uint64_t number = 0;                           // pid, tid, object
  uint64_t inode = 0;                            // of an object; 0: unknown
  HowCreated how_created = HowCreated::open;     // column how
  HowClosed how_closed = HowClosed::still_open;  // column how
  ReportStack stack;                             // columns stack and closing_stack
};

// What values are made from. All must outlive it; stacks must have been prepared in `symbols`.
struct ColumnSource {
  TraceWords words;
  const LifeReplay& replay;
  const StackSymbols& symbols;
};
ColumnValue value_of(HandleColumn column, const HandleLife& life, const ColumnSource& source);

// The blamed frame of a stack as a word to group by: its function, or the file its code is in.
std::string blamed_function(const ReportStack& stack);
std::string blamed_module(const ReportStack& stack);

}  // namespace culprit
