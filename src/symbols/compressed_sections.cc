#include "symbols/compressed_sections.h"

namespace culprit {
namespace {

// Deflate cannot exceed 1032:1. Zstandard can, but debug info never comes near.
constexpr uint64_t most_per_byte = 1032;
constexpr uint64_t most_in_total = uint64_t{8} << 30;

// Elf64_Chdr: ch_type u32, ch_reserved u32, ch_size u64, ch_addralign u64.
uint64_t claimed_size(const ElfSection& section) {
  ByteReader header(section.data);
  header.skip(8);
  return header.take<uint64_t>();
}

}  // namespace

bool compressed_sections_are_sane(const ElfFile& file) {
  uint64_t total = 0;
  for (const ElfSection& section : file.sections) {
    if ((section.flags & elf::section_compressed) == 0) continue;
    uint64_t claimed = claimed_size(section);
    if (claimed / most_per_byte > section.data.size()) return false;
    if (claimed > most_in_total - total) return false;
    total += claimed;
  }
  return true;
}

}  // namespace culprit
