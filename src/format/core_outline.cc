#include "format/core_outline.h"

#include <fmt/format.h>

#include "format/core_notes.h"
#include "format/elf.h"
#include "format/elf_notes.h"

namespace culprit {

namespace {

// Where things stand in files of 32 and of 64 bits: the ELF header, a program header, struct elf_prstatus and struct
// elf_prpsinfo (the 32-bit one with the 16-bit user ids of i386 and arm).
struct Layout {
  size_t header_size, segments_offset, segment_size_at, segment_size;
  size_t note_offset, note_size;
  size_t status_tid;
  size_t process_size, process_pid, process_name;
  bool is_wide;
};
constexpr Layout narrow{52, 28, 42, 32, 4, 16, 24, 124, 12, 28, false};
constexpr Layout wide{64, 32, 54, 56, 8, 32, 32, 136, 24, 40, true};
constexpr size_t type_at = 16, status_signal = 12, name_size = 16;

struct Machine {
  uint16_t number;
  std::string_view name;
};
// e_machine of the gABI, by the names of uname(2).
constexpr Machine machines[] = {{3, "i386"}, {8, "mips"},    {20, "ppc"},      {21, "ppc64"},  {22, "s390x"},
                                {40, "arm"}, {62, "x86-64"}, {183, "aarch64"}, {243, "riscv"}, {258, "loongarch"}};

std::string machine_name(uint16_t number) {
  for (const Machine& each : machines)
    if (each.number == number) return std::string(each.name);
  return fmt::format("machine {}", number);
}

uint64_t take_word(ByteReader& reader, const Layout& layout) {
  return layout.is_wide ? reader.take<uint64_t>() : reader.take<uint32_t>();
}

void read_note(const ElfNote& note, const Layout& layout, CoreOutline& outline) {
  if (note.name != "CORE") return;
  if (note.type == note_status && outline.signal == 0) {
    outline.signal = ByteReader(note.description, status_signal).take<int16_t>();
    if (outline.pid == 0) outline.pid = ByteReader(note.description, layout.status_tid).take<uint32_t>();
  }
  if (note.type == note_process && note.description.size() == layout.process_size) {
    outline.pid = ByteReader(note.description, layout.process_pid).take<uint32_t>();
    std::string_view name = as_text(note.description.subspan(layout.process_name, name_size));
    outline.name = name.substr(0, name.find('\0'));
  }
}

void read_segments(Bytes file, const Layout& layout, CoreOutline& outline) {
  ByteReader header(file, layout.segments_offset);
  uint64_t offset = take_word(header, layout);
  header.seek(layout.segment_size_at);
  auto stride = header.take<uint16_t>();
  auto count = header.take<uint16_t>();
  if (!header || stride < layout.segment_size) return;
  for (uint64_t i = 0; i < count && offset <= file.size() && file.size() - offset >= stride; ++i, offset += stride) {
    ByteReader segment(file, offset);
    if (segment.take<uint32_t>() != elf::segment_note) continue;
    segment.seek(offset + layout.note_offset);
    uint64_t start = take_word(segment, layout);
    segment.seek(offset + layout.note_size);
    uint64_t size = take_word(segment, layout);
    if (start > file.size()) continue;
    Bytes notes = file.subspan(start, std::min<uint64_t>(size, file.size() - start));
    for (const ElfNote& note : parse_notes(notes, 4)) read_note(note, layout, outline);
  }
}

}  // namespace

Result<CoreOutline> outline_core(Bytes file) {
  if (!looks_like_elf(file) || file.size() < narrow.header_size) return fail(ErrorKind::corrupt, "not an ELF file", 0);
  if (file[5] != std::byte{1}) return fail(ErrorKind::unsupported, "a big-endian ELF file", 5);
  CoreOutline outline{.is_64_bit = file[4] == std::byte{2}};
  ByteReader reader(file, type_at);
  outline.is_core = reader.take<uint16_t>() == elf::type_core;
  outline.architecture = machine_name(reader.take<uint16_t>());
  const Layout& layout = outline.is_64_bit ? wide : narrow;
  if (outline.is_core && file.size() >= layout.header_size) read_segments(file, layout, outline);
  return outline;
}

}  // namespace culprit
