// The parts of the bpf back end that need no kernel: what it is told, taken apart and put together.
#include <gtest/gtest.h>

#include <cstring>

#include "capture/bpf_event.h"
#include "capture/range_allocator.h"
#include "capture/told_code.h"

namespace culprit {
namespace {

std::vector<std::byte> bytes_of(const culprit_bpf_event& header, size_t tail) {
  std::vector<std::byte> bytes(sizeof(header) + tail);
  memcpy(bytes.data(), &header, sizeof(header));
  return bytes;
}

TEST(BpfEvent, IsTakenApartByTheLengthsItNames) {
  culprit_bpf_event header{};
  header.frame_count = 2;
  header.name_bytes = 3;
  auto bytes = bytes_of(header, 19);
  uint64_t frames[] = {0x1111, 0x2222};
  memcpy(bytes.data() + sizeof(header), frames, sizeof(frames));
  memcpy(bytes.data() + sizeof(header) + 16, "abc", 3);
  auto event = parse_bpf_event(bytes);
  ASSERT_TRUE(event);
  EXPECT_EQ(event->frames, (std::vector<uint64_t>{0x1111, 0x2222}));
  EXPECT_EQ(event->name, "abc");
}

TEST(BpfEvent, WhoseLengthsDoNotFitIsRefused) {
  culprit_bpf_event header{};
  header.frame_count = 100;
  EXPECT_FALSE(parse_bpf_event(bytes_of(header, 8)));
  EXPECT_FALSE(parse_bpf_event(Bytes()));
}

TEST(Ranges, AreReusedAndJoinedAgain) {
  RangeAllocator ranges(0, 100);
  auto a = ranges.allocate(40), b = ranges.allocate(40), c = ranges.allocate(20);
  ASSERT_TRUE(a && b && c);
  EXPECT_FALSE(ranges.allocate(1));
  ranges.release(*a, 40);
  ranges.release(*c, 20);
  EXPECT_FALSE(ranges.allocate(60));
  ranges.release(*b, 40);
  EXPECT_EQ(ranges.allocate(100), 0u);
}

MapsEntry code(uint64_t start, uint64_t end, uint64_t offset = 0) {
  MapsEntry entry;
  entry.start = start;
  entry.end = end;
  entry.offset = offset;
  entry.is_executable = true;
  return entry;
}

TEST(ToldCode, ThatIsUnmappedInTheMiddleLeavesBothEnds) {
  TraceTables tables;
  ModuleFiles files(tables);
  ToldCode told;
  told.begin({code(0x10000, 0x20000), code(0x30000, 0x40000)});
  told.remove(0x14000, 0x18000);
  auto entries = told.entries(1, files);
  ASSERT_EQ(entries.size(), 3u);
  EXPECT_EQ(entries[0].end, 0x14000u);
  EXPECT_EQ(entries[1].start, 0x18000u);
  EXPECT_EQ(entries[1].offset, 0x8000u);
  EXPECT_EQ(entries[2].start, 0x30000u);
}

TEST(ToldCode, ThatIsMappedOverOtherCodeReplacesIt) {
  TraceTables tables;
  ModuleFiles files(tables);
  ToldCode told;
  told.begin({code(0x10000, 0x20000)});
  uint64_t words[] = {0x18000, 0x28000, 0x1000, 0};
  told.add(words, 7, std::string_view("lib.so\0usr\0", 11));
  auto entries = told.entries(1, files);
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_EQ(entries[0].end, 0x18000u);
  EXPECT_EQ(entries[1].path, "/usr/lib.so");
  EXPECT_EQ(entries[1].inode, 7u);
}

}  // namespace
}  // namespace culprit
