#include "capture/bpf_tables.h"

#include <algorithm>

namespace culprit {
namespace {

uint32_t page_of(uint32_t pc) { return pc >> CULPRIT_BPF_PAGE_SHIFT; }

}  // namespace

BpfTables::BpfTables(BpfProgram& program)
    : program_(program),
      rows_(0, static_cast<uint32_t>(program.rows().size())),
      pages_(0, static_cast<uint32_t>(program.pages().size())) {}

BpfTables::Table& BpfTables::of(const ModuleFile& file) {
  auto [place, is_new] = tables_.try_emplace(&file);
  if (!is_new) return place->second;
  if (file.segments.empty()) {
    place->second.state = State::unknown;
  } else {
    builder_.want(file);
  }
  return place->second;
}

// Gives up the tables that no living process uses. True: there was one.
bool BpfTables::make_room() {
  bool found = false;
  for (auto& [file, table] : tables_) {
    if (table.state != State::placed || table.users > 0) continue;
    rows_.release(table.range.row_base, table.row_count);
    pages_.release(table.range.page_base, table.range.page_count + 1 + table.far_count);
    found = true;
  }
  std::erase_if(tables_,
                [](const auto& entry) { return entry.second.state == State::placed && entry.second.users == 0; });
  if (found) program_.begin_epoch();
  return found;
}

bool BpfTables::place(Table& table, const UnwindTable& built) {
  auto row_count = static_cast<uint32_t>(built.rows.size());
  uint32_t first = page_of(built.rows.front().pc), pages = page_of(built.rows.back().pc) - first + 1;
  auto far_count = static_cast<uint32_t>(built.far.size());
  auto rows = rows_.allocate(row_count);
  if (!rows) return false;
  auto index = pages_.allocate(pages + 1 + far_count);
  if (!index) {
    rows_.release(*rows, row_count);
    return false;
  }
  std::ranges::copy(built.rows, program_.rows().begin() + *rows);
  std::span<uint32_t> entries = program_.pages().subspan(*index, pages + 1 + far_count);
  uint32_t row = 0;
  for (uint32_t page = 0; page <= pages; page++) {
    uint64_t begin = uint64_t{first + page} << CULPRIT_BPF_PAGE_SHIFT;
    while (row + 1 < row_count && built.rows[row + 1].pc <= begin) row++;
    entries[page] = row;
  }
  std::ranges::copy(built.far, entries.begin() + pages + 1);
  table.range.row_base = *rows;
  table.range.page_base = *index;
  table.range.page_first = first;
  table.range.page_count = pages;
  table.range.far_base = *index + pages + 1;
  table.row_count = row_count;
  table.far_count = far_count;
  return true;
}

bool BpfTables::place_built() {
  std::vector<TableBuilder::Built> built = builder_.take();
  for (TableBuilder::Built& one : built) {
    auto found = tables_.find(one.file);
    if (found == tables_.end()) continue;
    if (!one.table || one.table->rows.empty()) {
      found->second.state = one.table ? State::none : State::unknown;
      continue;
    }
    found->second.users++;  // make_room() must not take it away
    bool is_placed = place(found->second, *one.table) || (make_room() && place(found->second, *one.table));
    found->second.users--;
    found->second.state = is_placed ? State::placed : State::unknown;
    if (!is_placed) left_out_++;
  }
  return !built.empty();
}

std::span<const culprit_unwind_row> BpfTables::rows_of(const Table& table) const {
  return program_.rows().subspan(table.range.row_base, table.row_count);
}

std::span<const uint32_t> BpfTables::far_of(const Table& table) const {
  return program_.pages().subspan(table.range.far_base, table.far_count);
}

}  // namespace culprit
