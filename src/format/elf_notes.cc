#include "format/elf_notes.h"

namespace culprit {

namespace {

void skip_padding(ByteReader& reader, uint64_t alignment) {
  uint64_t padding = (alignment - reader.position() % alignment) % alignment;
  if (padding <= reader.remaining()) reader.skip(padding);  // the last note may lack its padding
}

}  // namespace

std::vector<ElfNote> parse_notes(Bytes notes, uint64_t alignment) {
  if (alignment != 8) alignment = 4;  // 0 and 1 occur and mean 4
  std::vector<ElfNote> found;
  ByteReader reader(notes);
  while (reader && !reader.at_end()) {
    auto name_size = reader.take<uint32_t>();
    auto description_size = reader.take<uint32_t>();
    ElfNote note{.name = {}, .type = reader.take<uint32_t>(), .description = {}};
    note.name = as_text(reader.take_bytes(name_size));
    skip_padding(reader, alignment);
    note.description = reader.take_bytes(description_size);
    skip_padding(reader, alignment);
    if (!reader) break;
    if (note.name.ends_with('\0')) note.name.remove_suffix(1);
    found.push_back(note);
  }
  return found;
}

}  // namespace culprit
