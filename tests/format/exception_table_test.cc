#include "format/exception_table.h"

#include <gtest/gtest.h>

#include "support/byte_writer.h"

namespace culprit {
namespace {

using testing::ByteWriter;

constexpr uint8_t omitted = 0xff, uleb = 0x01;

// As compilers write it: no base of landing pads, no types, rows of uleb128.
std::string table_of(const ByteWriter& rows) {
  ByteWriter table;
  table.u8(omitted).u8(omitted).u8(uleb).uleb(rows.size()).bytes(rows.text());
  return table.text();
}

ExceptionWay way(const std::string& table, uint64_t pc) { return way_of_exception(as_bytes(table), 0x1000, pc); }

TEST(ExceptionTable, TellsWhatBecomesOfAnExceptionByTheRowOfItsCall) {
  ByteWriter rows;
  rows.uleb(0x10).uleb(8).uleb(0).uleb(0);     // passes
  rows.uleb(0x20).uleb(8).uleb(0x90).uleb(1);  // lands
  const std::string table = table_of(rows);
  EXPECT_EQ(way(table, 0x10), ExceptionWay::passes);
  EXPECT_EQ(way(table, 0x17), ExceptionWay::passes);
  EXPECT_EQ(way(table, 0x20), ExceptionWay::lands);
}

TEST(ExceptionTable, ForbidsWhatStandsInNoRow) {
  ByteWriter rows;
  rows.uleb(0x10).uleb(8).uleb(0).uleb(0);
  const std::string table = table_of(rows);
  for (uint64_t pc : {0x0, 0xf, 0x18, 0x1000}) EXPECT_EQ(way(table, pc), ExceptionWay::forbidden) << pc;
  EXPECT_EQ(way(table_of({}), 0), ExceptionWay::forbidden) << "of a function that is noexcept as a whole";
}

TEST(ExceptionTable, HasTypesBehindItsRows) {
  ByteWriter rows, table;
  rows.uleb(0x10).uleb(8).uleb(0x90).uleb(1);
  table.u8(omitted).u8(0x9b).uleb(40).u8(uleb).uleb(rows.size()).bytes(rows.text()).u32(0x1234);
  EXPECT_EQ(way(table.text(), 0x12), ExceptionWay::lands);
}

TEST(ExceptionTable, ThatIsCutOffTellsNothing) {
  ByteWriter rows;
  rows.uleb(0x10).uleb(8).uleb(0x90).uleb(1);
  const std::string table = table_of(rows);
  for (size_t size = 0; size < table.size(); ++size)
    EXPECT_EQ(way(table.substr(0, size), 0x12), ExceptionWay::unknown) << size;
}

}  // namespace
}  // namespace culprit
