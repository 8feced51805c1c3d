#include "format/elf.h"

#include <gmock/gmock.h>

#include "base/mapping.h"
#include "format/elf_notes.h"
#include "support/elf_builder.h"

namespace culprit {
namespace {

using testing::ByteWriter;
using ::testing::ElementsAre;
using testing::elf_note;
using testing::ElfBuilder;
using ::testing::HasSubstr;

std::string library() {
  ByteWriter strings;
  strings.u8(0).c_string("libc.so.6").c_string("libm.so.6").c_string("libdemo.so.1");
  ByteWriter dynamic;
  dynamic.u64(1).u64(1).u64(1).u64(11).u64(14).u64(21).u64(5).u64(0x1200).u64(0).u64(0).u64(1).u64(
      1);  // DT_NULL ends it
  std::string note = elf_note("GNU", 3, "\xde\xad\xbe\xef");
  return ElfBuilder()
      .section(".dynstr", 0x1200, strings.text(), 3)
      .section(".dynamic", 0x1400, dynamic.text(), 6)
      .section(".note.gnu.build-id", 0x1600, note, 7)
      .code(0x2000, std::string(64, '\x90'))
      .function("second", 0x2020, 16)
      .function("first", 0x2000, 32)
      .segment(1, 4, 0x1000, 0x1000, 0x1000)
      .segment(2, 6, 0x1400, dynamic.size())
      .segment(4, 4, 0x1600, note.size(), 4)
      .finish();
}

TEST(Elf, TellsTheHeaderTheSegmentsAndTheSections) {
  std::string bytes = library();
  auto elf = parse_elf(as_bytes(bytes));
  ASSERT_TRUE(elf);
  EXPECT_EQ(elf->type, elf::type_shared);
  EXPECT_EQ(elf->machine, elf::machine_x86_64);
  EXPECT_EQ(elf->entry, 0x2000u);
  EXPECT_EQ(elf->segments.size(), 4u);
  ASSERT_NE(elf->section(".text"), nullptr);
  EXPECT_EQ(as_text(elf->section(".text")->data), std::string(64, '\x90'));
  EXPECT_EQ(elf->section(".none"), nullptr);
  EXPECT_TRUE(elf->segments.back().is_code());
}

TEST(Elf, TellsWhatTheDynamicSectionNeeds) {
  std::string bytes = library();
  auto elf = parse_elf(as_bytes(bytes));
  EXPECT_TRUE(elf->has_dynamic());
  EXPECT_THAT(elf->needed_libraries(), ElementsAre("libc.so.6", "libm.so.6"));
  EXPECT_EQ(elf->soname(), "libdemo.so.1");
  EXPECT_FALSE(elf->is_static());
}

TEST(Elf, FindsTheBuildIdWithAndWithoutSectionHeaders) {
  std::string bytes = library();
  EXPECT_EQ(parse_elf(as_bytes(bytes))->build_id(), "deadbeef");
  auto image = parse_elf(as_bytes(bytes));
  image->sections.clear();
  EXPECT_EQ(image->build_id(), "deadbeef");
}

TEST(Elf, ReadsAMappedImageByItsAddresses) {
  // In memory the first PT_LOAD's page comes first, wherever it lies in the file.
  std::string file = ElfBuilder()
                         .section(".note", 0x1600, elf_note("GNU", 3, "\x01\x02"), 7)
                         .segment(1, 4, 0x1000, 0x1000)
                         .segment(4, 4, 0x1600, 18, 4)
                         .finish();
  std::string image = file.substr(0x1000);
  image.replace(0, 64, file.substr(0, 64));
  uint64_t table = ByteReader(as_bytes(file), 32).take<uint64_t>();
  image.replace(64, 2 * 56, file.substr(table, 2 * 56));
  image.replace(32, 8, ByteWriter().u64(64).text());
  auto elf = parse_elf(as_bytes(image), ElfLayout::image);
  ASSERT_TRUE(elf);
  EXPECT_TRUE(elf->sections.empty());
  EXPECT_EQ(elf->build_id(), "0102");
}

TEST(Elf, ListsFunctionsByAddressAndOnce) {
  std::string bytes = ElfBuilder()
                          .code(0x2000, "code")
                          .function("b", 0x2002, 2)
                          .function("a", 0x2000, 2)
                          .function("b", 0x2002, 2)
                          .finish();
  auto functions = parse_elf(as_bytes(bytes))->function_symbols();
  ASSERT_EQ(functions.size(), 2u);
  EXPECT_EQ(functions[0].name, "a");
  EXPECT_EQ(functions[1].name, "b");
  EXPECT_EQ(functions[1].address, 0x2002u);
  EXPECT_EQ(functions[1].size, 2u);
}

TEST(Elf, TellsAStaticProgramFromADynamicOne) {
  std::string fixed = ElfBuilder().type(2).code(0x2000, "code").finish();
  EXPECT_TRUE(parse_elf(as_bytes(fixed))->is_static());
  std::string dynamic = ElfBuilder()
                            .type(3)
                            .section(".interp", 0x1100, std::string("/lib64/ld.so\0", 13))
                            .segment(3, 4, 0x1100, 13)
                            .finish();
  EXPECT_FALSE(parse_elf(as_bytes(dynamic))->is_static());
  EXPECT_EQ(parse_elf(as_bytes(dynamic))->interpreter(), "/lib64/ld.so");
}

TEST(Elf, RecognisesGoPrograms) {
  EXPECT_FALSE(parse_elf(as_bytes(library()))->is_go());
  std::string by_section = ElfBuilder().section(".go.buildinfo", 0x1100, "x").finish();
  EXPECT_TRUE(parse_elf(as_bytes(by_section))->is_go());
  std::string note = elf_note("Go", 4, "abc");
  std::string by_note = ElfBuilder().section(".n", 0x1100, note).segment(4, 4, 0x1100, note.size(), 4).finish();
  EXPECT_TRUE(parse_elf(as_bytes(by_note))->is_go());
}

TEST(Elf, ReadsTheDebugLink) {
  std::string link = ByteWriter().c_string("demo.debug").align(4).u32(0x12345678).text();
  std::string bytes = ElfBuilder().section(".gnu_debuglink", 0, link, 1, 0).finish();
  auto found = parse_elf(as_bytes(bytes))->debug_link();
  ASSERT_TRUE(found);
  EXPECT_EQ(found->file_name, "demo.debug");
  EXPECT_EQ(found->crc, 0x12345678u);
  std::string cut = ElfBuilder().section(".gnu_debuglink", 0, link.substr(0, 13), 1, 0).finish();
  EXPECT_FALSE(parse_elf(as_bytes(cut))->debug_link());
}

TEST(Elf, SaysWhatItCannotRead) {
  EXPECT_EQ(parse_elf(as_bytes("#!/bin/sh")).error().kind, ErrorKind::corrupt);
  std::string small = ElfBuilder().finish();
  small[4] = 1;
  EXPECT_EQ(parse_elf(as_bytes(small)).error().kind, ErrorKind::unsupported);
  EXPECT_THAT(parse_elf(as_bytes(small)).error().what, HasSubstr("32-bit"));
  EXPECT_THAT(parse_elf(as_bytes(small.substr(0, 52))).error().what, HasSubstr("32-bit"));
  std::string big_endian = ElfBuilder().finish();
  big_endian[5] = 2;
  EXPECT_THAT(parse_elf(as_bytes(big_endian)).error().what, HasSubstr("big-endian"));
  EXPECT_THAT(parse_elf(as_bytes(ElfBuilder().finish().substr(0, 40))).error().what, HasSubstr("cut off"));
}

TEST(Elf, SurvivesEveryTruncation) {
  std::string bytes = library();
  for (size_t size = 0; size < bytes.size(); size += size < 200 ? 1 : 37) {
    std::string cut = bytes.substr(0, size);
    auto elf = parse_elf(as_bytes(cut));
    if (!elf) continue;
    for (const ElfSection& section : elf->sections) EXPECT_LE(section.data.size(), cut.size());
    EXPECT_LE(elf->needed_libraries().size(), 2u);
    EXPECT_LE(elf->function_symbols().size(), 2u);
  }
}

TEST(Elf, KnowsByHowMuchAMappingWasMoved) {
  std::vector<ElfSegment> segments = {{.type = 1, .flags = 4, .offset = 0, .address = 0, .file_size = 0x500},
                                      {.type = 1, .flags = 5, .offset = 0x500, .address = 0x1500, .file_size = 0x2000},
                                      {.type = 1, .flags = 6, .offset = 0x2500, .address = 0x5500, .file_size = 0x100}};
  EXPECT_EQ(load_bias(segments, 0x7f0000001000, 0, true), 0x7f0000000000u);
  EXPECT_EQ(load_bias(segments, 0x7f0000000000, 0, false), 0x7f0000000000u);
  EXPECT_EQ(load_bias(segments, 0x7f0000002000, 0x1000, true), 0x7f0000000000u);  // a mapping split by mprotect
  EXPECT_FALSE(load_bias(segments, 0x7f0000000000, 0x9000, true));
}

TEST(ElfNotes, StopAtTheFirstThatDoesNotFit) {
  std::string two = elf_note("GNU", 3, "abc") + elf_note("CORE", 1, "");
  auto notes = parse_notes(as_bytes(two), 4);
  ASSERT_EQ(notes.size(), 2u);
  EXPECT_EQ(notes[0].name, "GNU");
  EXPECT_EQ(as_text(notes[0].description), "abc");
  EXPECT_EQ(notes[1].name, "CORE");
  std::string claim = two + ByteWriter().u32(4).u32(0xffffffff).u32(1).c_string("GNU").text();
  EXPECT_EQ(parse_notes(as_bytes(claim), 4).size(), 2u);
}

TEST(Elf, ReadsTheProgramItRunsIn) {
  auto self = Mapping::of_file("/proc/self/exe");
  ASSERT_TRUE(self);
  auto elf = parse_elf(self->bytes());
  ASSERT_TRUE(elf);
  EXPECT_THAT(elf->interpreter(), HasSubstr("ld-linux"));
  EXPECT_THAT(elf->needed_libraries(), ::testing::Contains("libc.so.6"));
  EXPECT_GT(elf->function_symbols().size(), 100u);
  EXPECT_FALSE(elf->is_static());
  EXPECT_FALSE(elf->is_go());
}

}  // namespace
}  // namespace culprit
