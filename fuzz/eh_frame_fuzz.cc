// links: unwind
// The input is an .eh_frame section, and, so that sizes and addresses are tried too, a whole ELF file.
#include "format/eh_frame.h"
#include "unwind/unwind_table.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace culprit;
  Bytes bytes = std::as_bytes(std::span(data, size));
  for (bool has_end : {true, false}) {
    EhFrame frame = parse_eh_frame({.data = bytes, .address = 0x1000, .data_base = 0x800, .has_end = has_end});
    std::vector<CfiRow> rows;
    for (const Fde& fde : frame.fdes) {
      run_cfi(frame.cies.at(fde.cie), fde, rows);
      for (const CfiRow& row : rows)
        if (row.start < fde.start || row.start >= fde.end) __builtin_trap();
    }
  }
  ElfFile elf{.bytes = bytes, .machine = elf::machine_x86_64};
  elf.sections.push_back({.name = ".eh_frame", .address = 0x1000, .size = size, .data = bytes});
  UnwindTable table = build_unwind_table(elf);
  for (size_t i = 1; i < table.rows.size(); ++i)
    if (table.rows[i].pc <= table.rows[i - 1].pc) __builtin_trap();
  for (const culprit_unwind_row& row : table.rows)
    if (CULPRIT_ROW_KIND(row) == CULPRIT_ROW_FAR && CULPRIT_ROW_SLOTS(row) >= table.far.size()) __builtin_trap();
  auto whole = build_unwind_table(bytes);
  return 0;
}
