#include "format/elf.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <tuple>

#include "base/wire_int.h"
#include "format/elf_notes.h"

namespace culprit {

namespace {

constexpr size_t header_size = 64;
constexpr uint64_t page = 4096;
constexpr uint16_t extended_segment_count = 0xffff,
                   extended_string_index = 0xffff;  // the real value stands in section 0

struct RawHeader {
  unsigned char ident[16];
  Le<uint16_t> type, machine;
  Le<uint32_t> version;
  Le<uint64_t> entry, segments_offset, sections_offset;
  Le<uint32_t> flags;
  Le<uint16_t> size, segment_size, segment_count, section_size, section_count, string_index;
};
static_assert(sizeof(RawHeader) == header_size);

struct RawSegment {
  Le<uint32_t> type, flags;
  Le<uint64_t> offset, address, physical_address, file_size, memory_size, alignment;
};
static_assert(sizeof(RawSegment) == 56);

struct RawSection {
  Le<uint32_t> name, type;
  Le<uint64_t> flags, address, offset, size;
  Le<uint32_t> link, info;
  Le<uint64_t> alignment, entry_size;
};
static_assert(sizeof(RawSection) == 64);

struct RawSymbol {
  Le<uint32_t> name;
  uint8_t info, other;
  Le<uint16_t> section;
  Le<uint64_t> value, size;
};
static_assert(sizeof(RawSymbol) == 24);

struct RawDynamic {
  Le<uint64_t> tag, value;
};
constexpr uint64_t dynamic_end = 0, dynamic_needed = 1, dynamic_strings = 5, dynamic_soname = 14;

// The part of [offset, offset + size) that lies in `bytes`, if it begins there at all.
Bytes cut_out(Bytes bytes, uint64_t offset, uint64_t size) {
  if (offset > bytes.size()) return {};
  return bytes.subspan(offset, std::min<uint64_t>(size, bytes.size() - offset));
}

std::string_view string_at(Bytes strings, uint64_t offset) {
  return offset <= strings.size() ? ByteReader(strings, offset).take_c_string() : std::string_view{};
}

// A table of `count` items; as many as are there.
template <typename Raw, typename Function>
void for_each_item(Bytes bytes, uint64_t offset, uint64_t count, uint64_t stride, Function function) {
  if (stride < sizeof(Raw) || offset > bytes.size()) return;
  count = std::min(count, (bytes.size() - offset) / stride);
  for (uint64_t i = 0; i < count; ++i) {
    Raw raw;
    std::memcpy(&raw, bytes.data() + offset + i * stride, sizeof raw);
    function(raw);
  }
}

void read_sections(ElfFile& elf, const RawHeader& header, uint64_t count, uint64_t string_index) {
  std::vector<uint32_t> name_offsets;
  for_each_item<RawSection>(elf.bytes, header.sections_offset, count, header.section_size, [&](const RawSection& raw) {
    ElfSection section{.name = {},
                       .type = raw.type,
                       .link = raw.link,
                       .flags = raw.flags,
                       .address = raw.address,
                       .offset = raw.offset,
                       .size = raw.size,
                       .entry_size = raw.entry_size,
                       .data = {}};
    if (section.type != elf::section_no_bits && section.offset <= elf.bytes.size() &&
        section.size <= elf.bytes.size() - section.offset)
      section.data = elf.bytes.subspan(section.offset, section.size);
    elf.sections.push_back(section);
    name_offsets.push_back(raw.name);
  });
  if (string_index >= elf.sections.size()) return;
  Bytes names = elf.sections[string_index].data;
  for (size_t i = 0; i < elf.sections.size(); ++i) elf.sections[i].name = string_at(names, name_offsets[i]);
}

void read_segments(ElfFile& elf, const RawHeader& header, uint64_t count) {
  for_each_item<RawSegment>(elf.bytes, header.segments_offset, count, header.segment_size, [&](const RawSegment& raw) {
    elf.segments.push_back({.type = raw.type,
                            .flags = raw.flags,
                            .offset = raw.offset,
                            .address = raw.address,
                            .file_size = raw.file_size,
                            .memory_size = raw.memory_size,
                            .alignment = raw.alignment});
  });
}

Result<void> check_header(const RawHeader& header) {
  if (header.ident[4] == 1) return fail(ErrorKind::unsupported, "a 32-bit ELF file; only 64-bit ones are supported", 4);
  if (header.ident[4] != 2) return fail(ErrorKind::corrupt, "not a valid ELF file: unknown class", 4);
  if (header.ident[5] == 2)
    return fail(ErrorKind::unsupported, "a big-endian ELF file; only little-endian is supported", 5);
  if (header.ident[5] != 1) return fail(ErrorKind::corrupt, "not a valid ELF file: unknown byte order", 5);
  return {};
}

// Values of the dynamic section under a tag; a step limit is its size.
std::vector<uint64_t> dynamic_values(const ElfFile& elf, uint64_t tag) {
  std::vector<uint64_t> values;
  const ElfSegment* dynamic = elf.segment(elf::segment_dynamic);
  if (dynamic == nullptr) return values;
  bool ended = false;
  for_each_item<RawDynamic>(elf.data_of(*dynamic), 0, UINT64_MAX, sizeof(RawDynamic), [&](const RawDynamic& raw) {
    ended = ended || raw.tag == dynamic_end;
    if (!ended && raw.tag == tag) values.push_back(raw.value);
  });
  return values;
}

std::vector<std::string_view> dynamic_names(const ElfFile& elf, uint64_t tag) {
  std::vector<std::string_view> names;
  auto tables = dynamic_values(elf, dynamic_strings);
  if (tables.empty()) return names;
  Bytes strings = elf.at_address(tables.front());
  for (uint64_t offset : dynamic_values(elf, tag)) names.push_back(string_at(strings, offset));
  return names;
}

std::vector<ElfNote> all_notes(const ElfFile& elf) {
  constexpr size_t enough =
      4096;  // sections may claim to overlap, so that their notes add up to far more than the file
  std::vector<ElfNote> notes;
  auto add = [&](Bytes bytes, uint64_t alignment) {
    if (notes.size() >= enough) return;
    for (const ElfNote& note : parse_notes(bytes, alignment)) notes.push_back(note);
  };
  // Sections first: in separate debug files the segments' offsets mean nothing, but the note sections are kept.
  for (const ElfSection& section : elf.sections)
    if (section.type == elf::section_note)
      add(section.data, section.address % 8 == 0 && section.name == ".note.gnu.property" ? 8 : 4);
  if (!notes.empty()) return notes;
  for (const ElfSegment& segment : elf.segments)
    if (segment.type == elf::segment_note) add(elf.data_of(segment), segment.alignment);
  return notes;
}

// Of the symbol types of the gABI (STT_*); nothing: sections, files, and what is not known.
std::optional<ElfSymbolKind> kind_of_symbol(uint8_t type) {
  constexpr uint8_t no_type = 0, object = 1, function = 2, thread_local_object = 6, indirect_function = 10;
  switch (type) {
    case function:
    case indirect_function:
      return ElfSymbolKind::function;
    case object:
      return ElfSymbolKind::object;
    case thread_local_object:
      return ElfSymbolKind::thread_local_object;
    case no_type:
      return ElfSymbolKind::label;
    default:
      return {};
  }
}

void add_symbols(const ElfFile& elf, const ElfSection& table, bool functions_only, std::vector<ElfSymbol>& symbols) {
  constexpr uint16_t first_reserved_section = 0xff00;  // SHN_LORESERVE: absolute values, which are no addresses
  if (table.link >= elf.sections.size()) return;
  Bytes strings = elf.sections[table.link].data;
  for_each_item<RawSymbol>(table.data, 0, UINT64_MAX, sizeof(RawSymbol), [&](const RawSymbol& raw) {
    auto kind = kind_of_symbol(raw.info & 15);
    if (!kind || raw.section == 0) return;
    if (functions_only && *kind != ElfSymbolKind::function) return;
    if (*kind != ElfSymbolKind::thread_local_object && raw.value == 0) return;
    if (*kind != ElfSymbolKind::function && raw.section >= first_reserved_section) return;
    if (std::string_view name = string_at(strings, raw.name); !name.empty())
      symbols.push_back({name, raw.value, raw.size, *kind, raw.info >> 4 == 0});
  });
}

std::vector<ElfSymbol> symbols_of(const ElfFile& elf, bool functions_only) {
  std::vector<ElfSymbol> symbols;
  uint64_t budget = elf.bytes.size();  // tables that overlap are a lie
  for (const ElfSection& table : elf.sections) {
    if (table.type != elf::section_symbols && table.type != elf::section_dynamic_symbols) continue;
    if (table.data.size() > budget) break;
    budget -= table.data.size();
    add_symbols(elf, table, functions_only, symbols);
  }
  auto key = [](const ElfSymbol& symbol) { return std::tie(symbol.address, symbol.name); };
  std::ranges::stable_sort(symbols, {}, key);
  auto repeated = std::ranges::unique(symbols, {}, key);
  symbols.erase(repeated.begin(), repeated.end());
  return symbols;
}

}  // namespace

bool looks_like_elf(Bytes first_bytes) { return as_text(first_bytes).starts_with("\177ELF"); }

Result<ElfFile> parse_elf(Bytes bytes, ElfLayout layout) {
  if (!looks_like_elf(bytes)) return fail(ErrorKind::corrupt, "not an ELF file", 0);
  if (bytes.size() < header_size) {
    // A 32-bit header is shorter: the class byte decides what the complaint is.
    if (bytes.size() > 4 && bytes[4] == std::byte{1})
      return fail(ErrorKind::unsupported, "a 32-bit ELF file; only 64-bit ones are supported", 4);
    return fail(ErrorKind::corrupt, "an ELF file cut off in its header", bytes.size());
  }
  auto header = ByteReader(bytes).take<RawHeader>();
  CULPRIT_TRY(check_header(header));

  ElfFile elf{.bytes = bytes, .layout = layout, .type = header.type, .machine = header.machine, .entry = header.entry};
  uint64_t segment_count = header.segment_count, section_count = header.section_count,
           string_index = header.string_index;
  if (layout == ElfLayout::file && header.sections_offset != 0) {
    for_each_item<RawSection>(bytes, header.sections_offset, 1, header.section_size, [&](const RawSection& first) {
      if (section_count == 0) section_count = first.size;
      if (string_index == extended_string_index) string_index = first.link;
      if (segment_count == extended_segment_count) segment_count = first.info;
    });
    read_sections(elf, header, section_count, string_index);
  }
  read_segments(elf, header, segment_count);
  return elf;
}

const ElfSection* ElfFile::section(std::string_view name) const {
  auto found = std::ranges::find(sections, name, &ElfSection::name);
  return found == sections.end() ? nullptr : &*found;
}

const ElfSegment* ElfFile::segment(uint32_t wanted) const {
  auto found = std::ranges::find(segments, wanted, &ElfSegment::type);
  return found == segments.end() ? nullptr : &*found;
}

Bytes ElfFile::data_of(const ElfSegment& segment) const {
  if (layout == ElfLayout::file) return cut_out(bytes, segment.offset, segment.file_size);
  return at_address(segment.address, std::min(segment.file_size, at_address(segment.address).size()));
}

Bytes ElfFile::at_address(uint64_t address) const {
  uint64_t image_start = UINT64_MAX;
  for (const ElfSegment& load : segments)
    if (load.is_load()) image_start = std::min(image_start, load.address / page * page);
  for (const ElfSegment& load : segments) {
    if (!load.is_load() || address < load.address || address - load.address >= load.file_size) continue;
    uint64_t skipped = address - load.address;
    uint64_t start = layout == ElfLayout::file ? load.offset : load.address - image_start;
    if (start > bytes.size() || skipped > bytes.size() - start) return {};
    return cut_out(bytes, start + skipped, load.file_size - skipped);
  }
  return {};
}

Bytes ElfFile::at_address(uint64_t address, uint64_t size) const {
  Bytes found = at_address(address);
  return found.size() >= size ? found.first(size) : Bytes{};
}

std::string_view ElfFile::interpreter() const {
  const ElfSegment* found = segment(elf::segment_interpreter);
  return found == nullptr ? std::string_view{} : string_at(data_of(*found), 0);
}

bool ElfFile::is_static() const {
  return type != elf::type_core && segment(elf::segment_interpreter) == nullptr && soname().empty();
}

std::string_view ElfFile::soname() const {
  auto names = dynamic_names(*this, dynamic_soname);
  return names.empty() ? std::string_view{} : names.front();
}

std::vector<std::string_view> ElfFile::needed_libraries() const { return dynamic_names(*this, dynamic_needed); }

std::string ElfFile::build_id() const {
  std::string hex;
  for (const ElfNote& note : all_notes(*this)) {
    if (note.name != "GNU" || note.type != note_gnu_build_id || note.description.size() > 64) continue;
    for (std::byte byte : note.description) hex += fmt::format("{:02x}", static_cast<unsigned>(byte));
    break;
  }
  return hex;
}

bool ElfFile::is_go() const {
  if (section(".go.buildinfo") != nullptr || section(".note.go.buildid") != nullptr) return true;
  return std::ranges::any_of(all_notes(*this), [](const ElfNote& note) { return note.name == "Go"; });
}

std::optional<DebugLink> ElfFile::debug_link() const {
  const ElfSection* found = section(".gnu_debuglink");
  if (found == nullptr) return {};
  ByteReader reader(found->data);
  DebugLink link{.file_name = reader.take_c_string()};
  reader.seek((reader.position() + 3) & ~uint64_t{3});
  link.crc = reader.take<uint32_t>();
  if (!reader || link.file_name.empty()) return {};
  return link;
}

std::vector<ElfSymbol> ElfFile::function_symbols() const { return symbols_of(*this, true); }

std::vector<ElfSymbol> ElfFile::all_symbols() const { return symbols_of(*this, false); }

std::optional<uint64_t> load_bias(const std::vector<ElfSegment>& segments, uint64_t mapping_start, uint64_t file_offset,
                                  bool is_executable) {
  const ElfSegment* best = nullptr;
  for (const ElfSegment& load : segments) {
    if (!load.is_load()) continue;
    uint64_t start = load.offset / page * page;  // the kernel maps whole pages
    if (file_offset < start || file_offset - start >= load.offset - start + load.file_size) continue;
    if (best == nullptr || (load.is_code() == is_executable && best->is_code() != is_executable)) best = &load;
  }
  if (best == nullptr) return {};
  return mapping_start - (best->address - best->offset + file_offset);
}

}  // namespace culprit
