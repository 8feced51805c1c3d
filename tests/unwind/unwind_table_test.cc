#include "unwind/unwind_table.h"

#include <gmock/gmock.h>

#include "base/mapping.h"
#include "base/syscall.h"
#include "format/procfs.h"
#include "support/eh_frame_builder.h"
#include "support/elf_builder.h"

namespace culprit {
namespace {

using testing::EhFrameBuilder;
using testing::ElfBuilder;
using ::testing::HasSubstr;

constexpr uint64_t text = 0x2000, frame_address = 0x4000;

UnwindTable table_of(const EhFrameBuilder& frame) {
  std::string file =
      ElfBuilder().code(text, std::string(0x400, '\x90')).section(".eh_frame", frame_address, frame.finish()).finish();
  auto table = build_unwind_table(as_bytes(file));
  EXPECT_TRUE(table);
  return table ? *table : UnwindTable{};
}

EhFrameBuilder frame() { return EhFrameBuilder(frame_address).cie(); }

void expect_row(const culprit_unwind_row& row, uint32_t pc, unsigned kind, unsigned slots, int rbp) {
  EXPECT_EQ(row.pc, pc);
  EXPECT_EQ(CULPRIT_ROW_KIND(row), kind);
  EXPECT_EQ(CULPRIT_ROW_SLOTS(row), slots);
  EXPECT_EQ(row.rbp, rbp);
}

TEST(UnwindTable, FlattensAFunctionWithAFramePointer) {
  auto table = table_of(frame().fde(text, 0x40, "\x41\x0e\x10\x86\x02\x43\x0d\x06\x60\x0c\x07\x08\xc6"));
  ASSERT_EQ(table.rows.size(), 5u);
  expect_row(table.rows[0], text, CULPRIT_ROW_RSP, 1, 0);
  expect_row(table.rows[1], text + 1, CULPRIT_ROW_RSP, 2, -2);
  expect_row(table.rows[2], text + 4, CULPRIT_ROW_RBP, 2, -2);
  expect_row(table.rows[3], text + 0x24, CULPRIT_ROW_RSP, 1, 0);
  expect_row(table.rows[4], text + 0x40, CULPRIT_ROW_NONE, 0, 0);
  EXPECT_EQ(table.functions, 1u);
  EXPECT_EQ(table.covered_bytes, 0x40u);
}

TEST(UnwindTable, SortsFunctionsMarksGapsAndMergesEqualRows) {
  auto table = table_of(frame().fde(text + 0x30, 0x10).fde(text, 0x10).fde(text + 0x10, 0x10));
  ASSERT_EQ(table.rows.size(), 4u);
  expect_row(table.rows[0], text, CULPRIT_ROW_RSP, 1, 0);
  expect_row(table.rows[1], text + 0x20, CULPRIT_ROW_NONE, 0, 0);
  expect_row(table.rows[2], text + 0x30, CULPRIT_ROW_RSP, 1, 0);
  expect_row(table.rows[3], text + 0x40, CULPRIT_ROW_NONE, 0, 0);
}

TEST(UnwindTable, RecognisesTheExpressionOfThePlt) {
  auto table =
      table_of(frame().fde(text, 0x40, std::string_view("\x0f\x0b\x77\x08\x80\x00\x3f\x1a\x3b\x2a\x33\x24\x22", 13)));
  expect_row(table.rows.at(0), text, CULPRIT_ROW_PLT, 11, 0);
}

TEST(UnwindTable, RecognisesFunctionsThatRealignTheirStack) {
  auto table = table_of(frame().fde(text, 0x40, std::string_view("\x0f\x03\x76\x78\x06\x10\x06\x02\x76\x00", 10)));
  expect_row(table.rows.at(0), text, CULPRIT_ROW_RBP_DEREF, 1, CULPRIT_RBP_AT_RBP);
}

TEST(UnwindTable, KnowsTheOutermostFrame) {
  auto table = table_of(frame().fde(text, 0x40, "\x07\x10"));  // return address undefined
  expect_row(table.rows.at(0), text, CULPRIT_ROW_END, 0, 0);
}

TEST(UnwindTable, KnowsSignalTrampolines) {
  auto table =
      table_of(EhFrameBuilder(frame_address).cie("zRS").fde(text, 0x10, std::string_view("\x0f\x03\x77\xa0\x01", 5)));
  expect_row(table.rows.at(0), text, CULPRIT_ROW_SIGNAL, 0, 0);
}

TEST(UnwindTable, SaysWhereItHasNoRule) {
  constexpr std::string_view inexpressible[] = {
      std::string_view("\x0c\x03\x10", 3),      // CFA from rbx
      std::string_view("\x0e\x0c", 2),          // an offset that is no multiple of 8
      std::string_view("\x90\x02", 2),          // the return address at CFA-16
      std::string_view("\x0f\x02\x77\x00", 4),  // another expression
      std::string_view("\x3f", 1),              // an unknown instruction
  };
  for (std::string_view instructions : inexpressible) {
    auto table = table_of(frame().fde(text, 0x40, instructions));
    ASSERT_EQ(table.rows.size(), 1u);
    expect_row(table.rows[0], text, CULPRIT_ROW_NONE, 0, 0);
    EXPECT_EQ(table.inexpressible_bytes, 0x40u);
  }
}

TEST(UnwindTable, SaysWhereTheFramePointerIsLost) {
  for (std::string_view instructions :
       {std::string_view("\x07\x06", 2), std::string_view("\x09\x06\x03", 3), std::string_view("\x86\x00", 2)})
    EXPECT_EQ(table_of(frame().fde(text, 0x40, instructions)).rows.at(0).rbp, CULPRIT_RBP_UNKNOWN);
}

TEST(UnwindTable, KeepsLargeFramesInTheFarTable) {
  // CFA = rsp + 65536, then + 131072, then + 65536 again
  auto table = table_of(frame().fde(text, 0x40, "\x0e\x80\x80\x04\x41\x0e\x80\x80\x08\x41\x0e\x80\x80\x04"));
  ASSERT_EQ(table.far, (std::vector<uint32_t>{8192, 16384}));
  expect_row(table.rows.at(0), text, CULPRIT_ROW_FAR, 0, 0);
  expect_row(table.rows.at(1), text + 1, CULPRIT_ROW_FAR, 1, 0);
  expect_row(table.rows.at(2), text + 2, CULPRIT_ROW_FAR, 0, 0);
}

TEST(UnwindTable, LeavesOutOverlappingAndEmptyFunctions) {
  auto table = table_of(frame().fde(text, 0x40).fde(text + 0x20, 0x40).fde(text + 0x80, 0));
  EXPECT_EQ(table.functions, 1u);
  EXPECT_EQ(table.skipped_functions, 2u);
  EXPECT_EQ(table.rows.back().pc, text + 0x40);
}

TEST(UnwindTable, FindsTheRowOfAnAddress) {
  auto table = table_of(frame().fde(text, 0x10).fde(text + 0x20, 0x10, "\x44\x0e\x10"));
  EXPECT_EQ(find_row(table.rows, text - 1), nullptr);
  EXPECT_EQ(find_row(table.rows, text)->pc, text);
  EXPECT_EQ(find_row(table.rows, text + 0xf)->pc, text);
  EXPECT_EQ(CULPRIT_ROW_KIND(*find_row(table.rows, text + 0x10)), unsigned{CULPRIT_ROW_NONE});
  EXPECT_EQ(find_row(table.rows, text + 0x24)->pc, text + 0x24);
  EXPECT_EQ(find_row(table.rows, text + 0x30), nullptr);
  EXPECT_EQ(find_row({}, 0), nullptr);
}

TEST(UnwindTable, IsEmptyWithoutUnwindInformationAndRefusedForOtherMachines) {
  std::string bare = ElfBuilder().code(text, "\xc3").finish();
  EXPECT_TRUE(build_unwind_table(as_bytes(bare))->rows.empty());
  std::string arm = ElfBuilder().machine(183).finish();
  auto refused = build_unwind_table(as_bytes(arm));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::unsupported);
  EXPECT_FALSE(build_unwind_table(as_bytes("not ELF")));
}

TEST(UnwindTable, CoversTheVdsoFromMemory) {
  auto maps = parse_maps(*read_whole_file("/proc/self/maps"));
  auto vdso = std::ranges::find(maps, "[vdso]", &MapsEntry::path);
  if (vdso == maps.end()) GTEST_SKIP() << "no vdso here";
  auto table = build_unwind_table(Bytes(reinterpret_cast<const std::byte*>(vdso->start), vdso->end - vdso->start));
  ASSERT_TRUE(table);
  EXPECT_GT(table->functions, 2u);
  EXPECT_EQ(table->bad_entries, 0u);
}

TEST(UnwindTable, ExpressesNearlyAllOfThisProgram) {
  auto self = Mapping::of_file("/proc/self/exe");
  ASSERT_TRUE(self);
  auto table = build_unwind_table(self->bytes());
  ASSERT_TRUE(table);
  EXPECT_GT(table->functions, 100u);
  EXPECT_LT(table->inexpressible_bytes, table->covered_bytes / 100);
  EXPECT_EQ(table->bad_entries, 0u);
  EXPECT_TRUE(std::ranges::is_sorted(table->rows, {}, &culprit_unwind_row::pc));
}

}  // namespace
}  // namespace culprit
