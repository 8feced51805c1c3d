// A small ELF file of four pages, with its headers in the first as the linkers put them: what the kernel stores of a
// module in a core is that page. Without the parser's structs.
//
//   page 0  headers, build id        page 1  code        page 2  data, begins with the dynamic section        .bss up
//   to page 4
#pragma once

#include <string>
#include <string_view>

#include "support/byte_writer.h"
#include "support/elf_builder.h"

namespace culprit::testing {

struct MappedElf {
  std::string build_id;      // raw bytes; empty: none
  char fill = 'c';           // of code and data
  uint64_t debug = 0;        // DT_DEBUG's value, as it stands in memory
  uint64_t note_at = 0x400;  // in the file

  static constexpr uint64_t page = 4096;

  std::string file() const {
    ByteWriter bytes;
    bytes.bytes("\177ELF").u8(2).u8(1).u8(1).bytes(std::string(9, '\0'));
    bytes.u16(3).u16(62).u32(1).u64(page).u64(64).u64(0).u32(0).u16(64).u16(56).u16(7).u16(0).u16(0).u16(0);
    segment(bytes, 6, 4, 64, 56 * 7, 56 * 7);  // PT_PHDR
    segment(bytes, 3, 4, 0x300, 8, 8);         // PT_INTERP
    segment(bytes, 1, 4, 0, page, page);
    segment(bytes, 1, 5, page, page, page);
    segment(bytes, 1, 6, 2 * page, page, 2 * page);  // a page of .bss
    segment(bytes, 2, 6, 2 * page, 32, 32);          // PT_DYNAMIC
    std::string note = build_id.empty() ? "" : elf_note("GNU", 3, build_id);
    segment(bytes, 4, 4, note_at, note.size(), note.size());
    std::string all = bytes.text();
    all.resize(3 * page, '\0');
    all.replace(page, 2 * page, std::string(2 * page, fill));
    all.replace(0x300, 8, std::string("/lib/ld\0", 8));
    all.replace(note_at, note.size(), note);
    all.replace(2 * page, 32, ByteWriter().u64(21).u64(debug).u64(0).u64(0).text());
    return all;
  }
  std::string page_of(uint64_t number) const { return file().substr(number * page, page); }

 private:
  static void segment(ByteWriter& into, uint32_t type, uint32_t flags, uint64_t at, uint64_t stored, uint64_t size) {
    into.u32(type).u32(flags).u64(at).u64(at).u64(at).u64(stored).u64(size).u64(8);
  }
};

}  // namespace culprit::testing
