// ELF files and images, 64-bit little-endian (System V gABI, "Object Files"; GNU extensions as in binutils'
// elf/common.h). Bytes in, views out: nothing is copied, nothing is read from disk; the bytes must outlive what is
// found in them. Every offset, size and count of the file is a claim: what does not fit yields an empty view, never a
// crash.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace culprit {

namespace elf {
inline constexpr uint16_t type_executable = 2, type_shared = 3, type_core = 4;
inline constexpr uint16_t machine_x86_64 = 62, machine_aarch64 = 183;
inline constexpr uint32_t segment_load = 1, segment_dynamic = 2, segment_interpreter = 3, segment_note = 4,
                          segment_eh_frame_header = 0x6474e550;
inline constexpr uint32_t segment_executable = 1, segment_writable = 2, segment_readable = 4;  // ElfSegment::flags
inline constexpr uint32_t section_symbols = 2, section_strings = 3, section_note = 7, section_no_bits = 8,
                          section_dynamic_symbols = 11;
inline constexpr uint64_t section_compressed = 0x800;  // ElfSection::flags
}  // namespace elf

struct ElfSegment {
  uint32_t type = 0;
  uint32_t flags = 0;
  uint64_t offset = 0;
  uint64_t address = 0;  // link-time
  uint64_t file_size = 0;
  uint64_t memory_size = 0;
  uint64_t alignment = 0;

  bool is_load() const { return type == elf::segment_load; }
  bool is_code() const { return is_load() && (flags & elf::segment_executable) != 0; }
};

struct ElfSection {
  std::string_view name;
  uint32_t type = 0;
  uint32_t link = 0;
  uint64_t flags = 0;
  uint64_t address = 0;
  uint64_t offset = 0;
  uint64_t size = 0;
  uint64_t entry_size = 0;
  Bytes data;  // as stored (perhaps compressed); empty: has no bytes in the file, or they are not all there
};

enum class ElfSymbolKind : uint8_t {
  function,
  object,               // a variable
  thread_local_object,  // its address is an offset in the module's thread-local block
  label,                // of no type: hand-written assembly
};

struct ElfSymbol {
  std::string_view name;
  uint64_t address = 0;  // link-time
  uint64_t size = 0;     // 0: not known
  ElfSymbolKind kind = ElfSymbolKind::function;
  bool is_local = false;  // STB_LOCAL: static, or in an anonymous namespace
};

// What .gnu_debuglink says: the name of the separate debug file and the CRC-32 of its content.
struct DebugLink {
  std::string_view file_name;
  uint32_t crc = 0;
};

enum class ElfLayout : uint8_t {
  file,   // the bytes of the file; also the vdso's image, which is laid out like one
  image,  // the bytes from the first PT_LOAD's address on, as mapped: sections are unreachable then
};

struct ElfFile {
  Bytes bytes;
  ElfLayout layout = ElfLayout::file;
  uint16_t type = 0;
  uint16_t machine = 0;
  uint64_t entry = 0;
  std::vector<ElfSegment> segments;
  std::vector<ElfSection> sections;  // empty when the file has no section headers, or they do not fit

  const ElfSection* section(std::string_view name) const;  // the first of that name, or null
  const ElfSegment* segment(uint32_t type) const;          // the first of that type, or null

  // What the file holds for a segment; cut to what is there.
  Bytes data_of(const ElfSegment& segment) const;
  // The bytes at a link-time address up to the end of what the file has for that segment; empty: none.
  Bytes at_address(uint64_t address) const;
  // Exactly `size` bytes there, or empty.
  Bytes at_address(uint64_t address, uint64_t size) const;

  bool has_dynamic() const { return segment(elf::segment_dynamic) != nullptr; }
  // PT_INTERP, e.g. "/lib64/ld-linux-x86-64.so.2"; empty: none.
  std::string_view interpreter() const;
  // A program that runs without a dynamic loader, so that nothing can be preloaded into it: no PT_INTERP and no
  // DT_SONAME (libraries and the loader itself have a soname; a static PIE has neither).
  bool is_static() const;
  std::string_view soname() const;
  std::vector<std::string_view> needed_libraries() const;  // DT_NEEDED, in order
  std::string build_id() const;                            // lower-case hex of the GNU build id; empty: has none
  bool is_go() const;
  std::optional<DebugLink> debug_link() const;

  // Functions of .dynsym and .symtab with a known address, ascending by address; where both tables name the same, once.
  std::vector<ElfSymbol> function_symbols() const;
  // The same of all kinds.
  std::vector<ElfSymbol> all_symbols() const;
};

// "Is it ELF at all?" Never an error; any class, any byte order.
bool looks_like_elf(Bytes first_bytes);

// ErrorKind::unsupported: ELF, but 32-bit ("a 32-bit program"), big-endian. ErrorKind::corrupt: everything else.
Result<ElfFile> parse_elf(Bytes bytes, ElfLayout layout = ElfLayout::file);

// By how much a module was moved: absolute minus link-time address, from one of its mappings: its start, its offset in
// the file, and whether it may be executed (in small files several segments share a page). Nothing: no PT_LOAD covers
// it.
std::optional<uint64_t> load_bias(const std::vector<ElfSegment>& segments, uint64_t mapping_start, uint64_t file_offset,
                                  bool is_executable = true);

}  // namespace culprit
