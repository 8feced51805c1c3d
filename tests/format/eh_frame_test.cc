#include "format/eh_frame.h"

#include <gmock/gmock.h>

#include "support/eh_frame_builder.h"
#include "support/elf_builder.h"

namespace culprit {
namespace {

using testing::ByteWriter;
using testing::EhFrameBuilder;
using testing::ElfBuilder;
using Kind = CfiRule::Kind;

constexpr uint64_t section_address = 0x10000;

EhFrame parse(const std::string& section) {
  return parse_eh_frame({.data = as_bytes(section), .address = section_address});
}

// The rows of one function of 0x100 bytes at 0x2000.
std::vector<CfiRow> rows_of(std::string_view instructions, bool expect_whole = true) {
  static std::string section;  // rules hold views into it
  section = EhFrameBuilder(section_address).cie().fde(0x2000, 0x100, instructions).finish();
  EhFrame frame = parse(section);
  EXPECT_EQ(frame.fdes.size(), 1u);
  std::vector<CfiRow> rows;
  EXPECT_EQ(run_cfi(frame.cies[0], frame.fdes[0], rows), expect_whole);
  return rows;
}

TEST(EhFrame, FindsFunctionsByPcRelativePointers) {
  std::string section = EhFrameBuilder(section_address).cie().fde(0x2000, 0x40).fde(0x1f00, 0x10).terminator().finish();
  EhFrame frame = parse(section);
  EXPECT_EQ(frame.bad_entries, 0u);
  EXPECT_FALSE(frame.is_cut);
  ASSERT_EQ(frame.fdes.size(), 2u);
  EXPECT_EQ(frame.fdes[0].start, 0x2000u);
  EXPECT_EQ(frame.fdes[0].end, 0x2040u);
  EXPECT_EQ(frame.fdes[1].start, 0x1f00u);
}

TEST(EhFrame, FollowsPushMoveAndEpilogue) {
  // push rbp; CFA rsp+16, rbp at CFA-16; mov rsp,rbp; CFA from rbp; remember; leave: rsp+8; ret; restore
  auto rows = rows_of("\x41\x0e\x10\x86\x02\x43\x0d\x06\x0a\x02\x20\x0c\x07\x08\x41\x0b");
  ASSERT_EQ(rows.size(), 5u);
  EXPECT_EQ(rows[0].cfa.reg, dwarf_rsp);
  EXPECT_EQ(rows[0].cfa.offset, 8);
  EXPECT_EQ(rows[0].return_address.kind, Kind::at_cfa);
  EXPECT_EQ(rows[0].return_address.offset, -8);
  EXPECT_EQ(rows[1].start, 0x2001u);
  EXPECT_EQ(rows[1].cfa.offset, 16);
  EXPECT_EQ(rows[1].rbp.kind, Kind::at_cfa);
  EXPECT_EQ(rows[1].rbp.offset, -16);
  EXPECT_EQ(rows[2].start, 0x2004u);
  EXPECT_EQ(rows[2].cfa.reg, dwarf_rbp);
  EXPECT_EQ(rows[3].start, 0x2024u);
  EXPECT_EQ(rows[3].cfa.reg, dwarf_rsp);
  EXPECT_EQ(rows[3].cfa.offset, 8);
  EXPECT_EQ(rows[4].start, 0x2025u);
  EXPECT_EQ(rows[4].cfa.reg, dwarf_rbp);
}

TEST(EhFrame, RestoresARegisterToWhatTheCieSays) {
  auto rows = rows_of("\x86\x02\x41\xc6\x41\x86\x03\x41\x06\x06");  // offset, restore, offset, restore_extended
  ASSERT_EQ(rows.size(), 4u);
  EXPECT_EQ(rows[0].rbp.kind, Kind::at_cfa);
  EXPECT_EQ(rows[1].rbp.kind, Kind::same);
  EXPECT_EQ(rows[2].rbp.offset, -24);
  EXPECT_EQ(rows[3].rbp.kind, Kind::same);
}

TEST(EhFrame, UnderstandsEveryWayToStateARule) {
  struct {
    std::string_view instructions;
    Kind kind;
    int64_t offset;
  } cases[] = {
      {"\x05\x06\x02", Kind::at_cfa, -16},     // offset_extended
      {"\x11\x06\x7e", Kind::at_cfa, 16},      // offset_extended_sf
      {"\x2f\x06\x02", Kind::at_cfa, 16},      // GNU_negative_offset_extended
      {"\x14\x06\x02", Kind::cfa_plus, -16},   // val_offset
      {"\x15\x06\x7e", Kind::cfa_plus, 16},    // val_offset_sf
      {"\x07\x06", Kind::undefined, 0},        // undefined
      {"\x09\x06\x03", Kind::in_register, 0},  // register
  };
  for (const auto& each : cases) {
    auto rows = rows_of(each.instructions);
    ASSERT_EQ(rows.size(), 1u);
    EXPECT_EQ(rows[0].rbp.kind, each.kind);
    EXPECT_EQ(rows[0].rbp.offset, each.offset);
  }
  EXPECT_EQ(rows_of(std::string_view("\x86\x02\x08\x06", 4))[0].rbp.kind, Kind::same);  // same_value
}

TEST(EhFrame, KeepsExpressionsAsTheyAre) {
  auto rows = rows_of(std::string_view("\x0f\x03\x76\x78\x06\x10\x06\x02\x76\x00\x2e\x10\x16\x03\x01\x30", 16));
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].cfa.kind, Kind::is_expression);
  EXPECT_EQ(as_text(rows[0].cfa.expression), "\x76\x78\x06");
  EXPECT_EQ(rows[0].rbp.kind, Kind::at_expression);
  EXPECT_EQ(as_text(rows[0].rbp.expression), std::string_view("\x76\x00", 2));
}

TEST(EhFrame, AdvancesByOneTwoAndFourBytes) {
  auto rows = rows_of(std::string_view("\x02\x10\x0e\x10\x03\x20\x00\x0e\x18\x04\x30\x00\x00\x00\x0e\x20", 16));
  ASSERT_EQ(rows.size(), 4u);
  EXPECT_EQ(rows[1].start, 0x2010u);
  EXPECT_EQ(rows[2].start, 0x2030u);
  EXPECT_EQ(rows[3].start, 0x2060u);
  EXPECT_EQ(rows[3].cfa.offset, 0x20);
}

TEST(EhFrame, ANonsensicalInstructionEndsTheRulesButNotTheFunction) {
  constexpr std::string_view nonsense[] = {
      std::string_view("\x41\x3f", 2),                  // unknown
      std::string_view("\x41\x0b", 2),                  // restores a state nobody remembered
      std::string_view("\x41\x04\xff\xff\xff\xff", 6),  // advances past the function
      std::string_view("\x41\x0f\x7f", 3),              // an expression longer than what follows
  };
  for (std::string_view instructions : nonsense) {
    auto rows = rows_of(instructions, false);
    ASSERT_EQ(rows.size(), 2u);
    EXPECT_EQ(rows[0].cfa.kind, Kind::in_register);
    EXPECT_EQ(rows[1].start, 0x2001u);
    EXPECT_EQ(rows[1].cfa.kind, Kind::undefined);
  }
  rows_of(std::string(1000, '\x0a'), false);  // remembers without end
}

TEST(EhFrame, KnowsSignalFramesByTheirAugmentation) {
  std::string section = EhFrameBuilder(section_address).cie("zRS").fde(0x2000, 9).finish();
  EhFrame frame = parse(section);
  EXPECT_TRUE(frame.cies.at(0).is_signal_frame);
  EXPECT_TRUE(frame.cies.at(0).is_usable);
}

TEST(EhFrame, SkipsThePersonalityRoutineAndTheLanguageData) {
  // P: indirect pcrel sdata4 and its four bytes; L: encoding; R: pcrel sdata4
  std::string section = EhFrameBuilder(section_address)
                            .cie("zPLR", "\x0c\x07\x08\x90\x01", 1, std::string("\x9b\x01\x02\x03\x04\x1b\x1b", 7))
                            .finish();
  EhFrame frame = parse(section);
  EXPECT_TRUE(frame.cies.at(0).is_usable);
  EXPECT_EQ(frame.cies[0].pointer_encoding, 0x1b);
}

TEST(EhFrame, ReadsTheVersionsOfTheHeader) {
  for (uint8_t version : {1, 3, 4}) {
    std::string section =
        EhFrameBuilder(section_address).cie("zR", "\x0c\x07\x08\x90\x01", version).fde(0x2000, 4).finish();
    EhFrame frame = parse(section);
    EXPECT_TRUE(frame.cies.at(0).is_usable) << int{version};
    EXPECT_EQ(frame.fdes.size(), 1u);
  }
}

TEST(EhFrame, AnUnknownVersionOrAugmentationCoversCodeWithoutRules) {
  for (const auto& [augmentation, version] : {std::pair<std::string, int>{"zRX", 1}, {"zR", 2}}) {
    std::string section = EhFrameBuilder(section_address)
                              .cie(augmentation, "\x0c\x07\x08\x90\x01", static_cast<uint8_t>(version))
                              .fde(0x2000, 4)
                              .finish();
    EhFrame frame = parse(section);
    ASSERT_EQ(frame.fdes.size(), 1u);
    EXPECT_EQ(frame.bad_entries, 1u);
    std::vector<CfiRow> rows;
    EXPECT_FALSE(run_cfi(frame.cies[0], frame.fdes[0], rows));
    ASSERT_EQ(rows.size(), 1u);
    EXPECT_EQ(rows[0].cfa.kind, Kind::undefined);
  }
}

TEST(EhFrame, ReadsEntriesWith64BitLengths) {
  std::string cie = EhFrameBuilder(section_address).cie().finish();
  std::string wide = ByteWriter().u32(0xffffffff).u64(cie.size() - 4).bytes(cie.substr(4)).text();
  EXPECT_TRUE(parse(wide).cies.at(0).is_usable);
}

TEST(EhFrame, CountsWhatItCannotRead) {
  std::string orphan = ByteWriter().u32(12).u32(0x999).u32(0).u32(0).text();
  EXPECT_EQ(parse(orphan).bad_entries, 1u);
  std::string tiny = ByteWriter().u32(2).u16(0).text();
  EXPECT_EQ(parse(tiny).bad_entries, 1u);
  std::string claim = ByteWriter().u32(1000).u32(0).text();
  EXPECT_TRUE(parse(claim).is_cut);
}

TEST(EhFrame, IsFoundThroughItsHeaderWhereSectionHeadersAreMissing) {
  std::string section = EhFrameBuilder(0x3000).cie().fde(0x2000, 4).terminator().finish();
  std::string header =
      ByteWriter().u8(1).u8(0x1b).u8(0x03).u8(0x3b).u32(0x3000 - 0x2f04).text();  // eh_frame_ptr: pcrel
  std::string file = ElfBuilder()
                         .code(0x2000, "\x90\x90\x90\xc3")
                         .section(".eh_frame_hdr", 0x2f00, header)
                         .section(".eh_frame", 0x3000, section + "something else that follows")
                         .segment(1, 4, 0x2f00, 0x100 + section.size() + 27)
                         .segment(0x6474e550, 4, 0x2f00, header.size())
                         .without_section_headers()
                         .finish();
  auto elf = parse_elf(as_bytes(file));
  ASSERT_TRUE(elf);
  EhFrame frame = parse_eh_frame(find_eh_frame(*elf));
  ASSERT_EQ(frame.fdes.size(), 1u);
  EXPECT_EQ(frame.fdes[0].start, 0x2000u);
  EXPECT_FALSE(frame.is_cut);
}

}  // namespace
}  // namespace culprit
