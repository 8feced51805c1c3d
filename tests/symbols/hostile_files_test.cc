// Files that lie about themselves give fewer answers, but no crash, no hang and no message.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <random>

#include "base/bytes.h"
#include "format/elf.h"
#include "symbols/compiled_program.h"
#include "symbols/compressed_sections.h"
#include "symbols/symbolizer.h"

namespace culprit {
namespace {

using test::CompiledProgram;

std::string contents(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void symbolize_everything(const CompiledProgram& program, const std::string& bytes) {
  std::ofstream(program.directory() / "program", std::ios::binary | std::ios::trunc) << bytes;
  Symbolizer symbolizer({.debug_directories = {}, .debuginfod = false});
  for (const char* where : {"inner", "fun4", "main"}) symbolizer.symbolize(program.module(), program.address(where));
  for (uint8_t reg : {uint8_t{7}, ObjectQuestion::no_register})
    symbolizer.object(
        program.module(),
        {.pc = program.address("fun4"), .seen_from = program.address("fun4"), .frame = 0x1000, .steps = 1, .reg = reg});
  symbolizer.symbolize(program.module(), UINT64_MAX);
  symbolizer.symbolize(program.module(), 0);
  symbolizer.used_for(program.module());
}

TEST(HostileFiles, MayBeCutAnywhere) {
  CompiledProgram program("g++ -O2 -g program.cc -o program");
  std::string whole = contents(program.directory() / "program");
  for (size_t size = 0; size < whole.size(); size += 997) symbolize_everything(program, whole.substr(0, size));
}

TEST(HostileFiles, MayHaveAnyBytesInTheirDebugInfo) {
  CompiledProgram program("g++ -O2 -g program.cc -o program");
  std::string whole = contents(program.directory() / "program");
  auto file = parse_elf(as_bytes(whole));
  ASSERT_TRUE(file);
  std::mt19937 random(1);
  for (const char* name : {".debug_info", ".debug_abbrev", ".debug_line", ".debug_str", ".debug_rnglists",
                           ".debug_loclists", ".debug_aranges"}) {
    const ElfSection* section = file->section(name);
    if (section == nullptr) continue;
    for (int round = 0; round < 40; ++round) {
      std::string damaged = whole;
      for (int change = 0; change < 8; ++change)
        damaged[section->offset + random() % section->size] = static_cast<char>(random());
      symbolize_everything(program, damaged);
    }
  }
}

TEST(HostileFiles, DoNotGetTheMemoryTheyClaim) {
  CompiledProgram program("g++ -O2 -g -gz=zlib program.cc -o program");
  std::string bytes = contents(program.directory() / "program");
  auto file = parse_elf(as_bytes(bytes));
  ASSERT_TRUE(file);
  EXPECT_TRUE(compressed_sections_are_sane(*file));
  const ElfSection* section = file->section(".debug_info");
  ASSERT_NE(section, nullptr);
  ASSERT_NE(section->flags & elf::section_compressed, 0u);
  std::string damaged = bytes;
  damaged.replace(section->offset + 8, 8, std::string("\0\0\0\0\0\x40\0\0", 8));  // ch_size: 2^46
  auto lying = parse_elf(as_bytes(damaged));
  ASSERT_TRUE(lying);
  EXPECT_FALSE(compressed_sections_are_sane(*lying));

  std::ofstream(program.directory() / "program", std::ios::binary | std::ios::trunc) << damaged;
  Symbolizer symbolizer({.debug_directories = {}, .debuginfod = false});
  SymbolizedFrame frame = symbolizer.symbolize(program.module(), program.address("fun4"));
  EXPECT_EQ(frame.quality, SymbolQuality::symbol_table);
  EXPECT_NE(symbolizer.used_for(program.module()).note.find("absurd size"), std::string::npos);
}

}  // namespace
}  // namespace culprit
