// The unwind tables of all recorded code in the arrays of the kernel side: each file's once, however many processes run
// it.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>

#include "capture/bpf_program.h"
#include "capture/module_files.h"
#include "capture/range_allocator.h"
#include "capture/table_builder.h"

namespace culprit {

class BpfTables {
 public:
  explicit BpfTables(BpfProgram& program);

  // unknown: the file cannot be read, or there is no room.
  enum class State : uint8_t { building, placed, none, unknown };
  struct Table {
    State state = State::building;
    culprit_bpf_range range{};  // row_base, page_base, page_first, page_count, far_base
    uint32_t row_count = 0, far_count = 0;
    uint32_t users = 0;  // code maps that refer to it
  };

  // Begins to build it if it is new. Stays valid as long as this object.
  Table& of(const ModuleFile& file);
  // Puts into the arrays what has been built meanwhile. True: some table is settled that was not.
  bool place_built();
  bool is_building() const { return !builder_.is_idle(); }

  std::span<const culprit_unwind_row> rows_of(const Table& table) const;
  std::span<const uint32_t> far_of(const Table& table) const;

  uint64_t left_out() const { return left_out_; }  // for lack of room

 private:
  bool place(Table& table, const UnwindTable& built);
  bool make_room();

  BpfProgram& program_;
  std::unordered_map<const ModuleFile*, Table> tables_;
  RangeAllocator rows_, pages_;
  uint64_t left_out_ = 0;
  TableBuilder builder_;
};

}  // namespace culprit
