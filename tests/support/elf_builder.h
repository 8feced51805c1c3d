// Builds 64-bit ELF files for tests, by the gABI and without the parser's structs. Sections lie in the file at the
// offset that equals their address, so that one PT_LOAD over everything maps it all.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "support/byte_writer.h"

namespace culprit::testing {

class ElfBuilder {
 public:
  ElfBuilder& type(uint16_t value) { return type_ = value, *this; }
  ElfBuilder& machine(uint16_t value) { return machine_ = value, *this; }
  // Addresses are the caller's choice: above 0x1000, ascending, apart from each other. address 0: not loaded.
  ElfBuilder& section(std::string name, uint64_t address, std::string data, uint32_t kind = 1, uint64_t flags = 2) {
    sections_.push_back({std::move(name), address, std::move(data), kind, flags, 0, 0});
    return *this;
  }
  ElfBuilder& code(uint64_t address, std::string data) {
    code_start_ = address;
    code_size_ = data.size();
    return section(".text", address, std::move(data), 1, 6);
  }
  ElfBuilder& function(std::string name, uint64_t address, uint64_t size) {
    functions_.push_back({std::move(name), address, size});
    return *this;
  }
  ElfBuilder& segment(uint32_t kind, uint32_t flags, uint64_t address, uint64_t size, uint64_t alignment = 8) {
    segments_.push_back({kind, flags, address, size, alignment});
    return *this;
  }
  ElfBuilder& without_section_headers() { return has_sections_ = false, *this; }

  std::string finish() {
    add_symbols();
    std::string names(1, '\0');
    std::vector<uint64_t> name_offsets, offsets;
    for (const Section& each : sections_) add_name(names, name_offsets, each.name);
    add_name(names, name_offsets, ".shstrtab");

    std::string body(header_size, '\0');
    for (const Section& each : sections_) {
      uint64_t offset = each.address != 0 ? each.address : (body.size() + 7) / 8 * 8;
      body.resize(std::max<uint64_t>(body.size(), offset + each.data.size()));
      body.replace(offset, each.data.size(), each.data);
      offsets.push_back(offset);
    }
    if (code_size_ != 0) segment(1, 5, code_start_, code_size_, 0x1000);

    uint64_t names_offset = body.size();
    body += names;
    ByteWriter tables;
    uint64_t segments_offset = body.size();
    for (const Segment& each : segments_)
      tables.u32(each.kind)
          .u32(each.flags)
          .u64(each.address)
          .u64(each.address)
          .u64(each.address)
          .u64(each.size)
          .u64(each.size)
          .u64(each.alignment);
    uint64_t sections_offset = body.size() + tables.size();
    for (size_t i = 0; i <= sections_.size() + 1; ++i) {
      if (i == 0) {
        tables.bytes(std::string(64, '\0'));
        continue;
      }
      bool is_names = i > sections_.size();
      const Section each = is_names ? Section{".shstrtab", 0, names, 3, 0, 0, 0} : sections_[i - 1];
      tables.u32(name_offsets[i - 1]).u32(each.kind).u64(each.flags).u64(each.address);
      tables.u64(is_names ? names_offset : offsets[i - 1]).u64(each.data.size());
      tables.u32(each.link).u32(0).u64(1).u64(each.entry_size);
    }
    body += tables.text();

    ByteWriter header;
    header.bytes("\177ELF").u8(2).u8(1).u8(1).bytes(std::string(9, '\0'));
    header.u16(type_).u16(machine_).u32(1).u64(code_start_).u64(segments_offset);
    header.u64(has_sections_ ? sections_offset : 0).u32(0).u16(header_size).u16(56).u16(segments_.size()).u16(64);
    header.u16(has_sections_ ? sections_.size() + 2 : 0).u16(has_sections_ ? sections_.size() + 1 : 0);
    body.replace(0, header_size, header.text());
    return body;
  }

 private:
  static constexpr size_t header_size = 64;
  struct Section {
    std::string name;
    uint64_t address;
    std::string data;
    uint32_t kind;
    uint64_t flags;
    uint32_t link, entry_size;
  };
  struct Segment {
    uint32_t kind, flags;
    uint64_t address, size, alignment;
  };
  struct Function {
    std::string name;
    uint64_t address, size;
  };

  static void add_name(std::string& names, std::vector<uint64_t>& offsets, const std::string& name) {
    offsets.push_back(names.size());
    names += name + '\0';
  }

  void add_symbols() {
    if (functions_.empty()) return;
    ByteWriter symbols;
    std::string names(1, '\0');
    symbols.bytes(std::string(24, '\0'));
    for (const Function& each : functions_) {
      symbols.u32(names.size()).u8(0x12).u8(0).u16(1).u64(each.address).u64(each.size);  // global function in section 1
      names += each.name + '\0';
    }
    sections_.push_back({".symtab", 0, symbols.text(), 2, 0, static_cast<uint32_t>(sections_.size() + 2), 24});
    sections_.push_back({".strtab", 0, names, 3, 0, 0, 0});
  }

  uint16_t type_ = 3, machine_ = 62;
  uint64_t code_start_ = 0, code_size_ = 0;
  bool has_sections_ = true;
  std::vector<Section> sections_;
  std::vector<Segment> segments_;
  std::vector<Function> functions_;
};

// A note as it lies in PT_NOTE.
inline std::string elf_note(std::string_view name, uint32_t type, std::string_view description) {
  return ByteWriter()
      .u32(name.size() + 1)
      .u32(description.size())
      .u32(type)
      .c_string(name)
      .align(4)
      .bytes(description)
      .align(4)
      .text();
}

}  // namespace culprit::testing
