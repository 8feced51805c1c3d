// The first instructions of a function at another place.
#include "capture/moved_entry.h"

#include <gtest/gtest.h>

#include <initializer_list>
#include <vector>

namespace culprit {
namespace {

constexpr uint64_t entry = 0x401000, place = 0x40005000;

std::vector<std::byte> code(std::initializer_list<int> bytes, size_t size = 64) {
  std::vector<std::byte> all;
  for (int byte : bytes) all.push_back(static_cast<std::byte>(byte));
  all.resize(std::max(size, all.size()), std::byte{0x90});
  return all;
}

int32_t distance_at(const MovedEntry& moved, size_t offset) { return ByteReader(moved.code, offset).take<int32_t>(); }

TEST(MovedEntry, GoesOnBehindWhatWasReplaced) {
  auto moved = move_entry(code({0x55, 0x48, 0x89, 0xe5, 0x53, 0x50}), entry, entry, place);  // push, mov, push
  ASSERT_TRUE(moved);
  EXPECT_EQ(moved->replaced, 5u);
  EXPECT_EQ(moved->code[4], std::byte{0x53});
  EXPECT_EQ(moved->code[5], std::byte{0xe9});
  EXPECT_EQ(place + 10 + static_cast<uint64_t>(int64_t{distance_at(*moved, 6)}), entry + 5);
}

TEST(MovedEntry, CorrectsTheDistanceToData) {
  // mov 0x1234(%rip),%rax; and one with an immediate value behind the distance: cmpl $7,0x100(%rip)
  auto moved = move_entry(code({0x48, 0x8b, 0x05, 0x34, 0x12, 0, 0}), entry, entry, place);
  ASSERT_TRUE(moved);
  EXPECT_EQ(place + 7 + static_cast<uint64_t>(int64_t{distance_at(*moved, 3)}), entry + 7 + 0x1234);
  moved = move_entry(code({0x83, 0x3d, 0, 1, 0, 0, 7}), entry, entry, place);
  ASSERT_TRUE(moved);
  EXPECT_EQ(place + 7 + static_cast<uint64_t>(int64_t{distance_at(*moved, 2)}), entry + 7 + 0x100);
  EXPECT_EQ(moved->code[6], std::byte{7});
}

TEST(MovedEntry, MakesShortJumpsLong) {
  auto moved = move_entry(code({0x48, 0x85, 0xff, 0x74, 0x13}), entry, entry, place);  // test %rdi,%rdi; je +0x13
  ASSERT_TRUE(moved);
  EXPECT_EQ(moved->code[3], std::byte{0x0f});
  EXPECT_EQ(moved->code[4], std::byte{0x84});
  EXPECT_EQ(place + 9 + static_cast<uint64_t>(int64_t{distance_at(*moved, 5)}), entry + 5 + 0x13);
  moved = move_entry(code({0xe9, 0x20, 0, 0, 0}), entry, entry, place);  // jmp: the function is another one
  ASSERT_TRUE(moved);
  EXPECT_EQ(place + 5 + static_cast<uint64_t>(int64_t{distance_at(*moved, 1)}), entry + 5 + 0x20);
}

TEST(MovedEntry, UsesThePaddingBehindAShortFunction) {
  auto moved = move_entry(code({0xc3, 0x66, 0x66, 0x2e, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0}), entry, entry, place);
  ASSERT_TRUE(moved);
  EXPECT_EQ(moved->code[0], std::byte{0xc3});
  EXPECT_GE(moved->replaced, 5u);
}

TEST(MovedEntry, IsRefusedWhereItWouldMeanSomethingElse) {
  EXPECT_FALSE(move_entry(code({0xe8, 0, 0, 0, 0}), entry, entry, place));        // call
  EXPECT_FALSE(move_entry(code({0xff, 0x25, 0, 0, 0, 0}), entry, entry, place));  // jmp *(%rip): a PLT
  EXPECT_FALSE(move_entry(code({0x31, 0xc0, 0xc3, 0x55}), entry, entry, place));  // ends, and the next one begins
  EXPECT_FALSE(move_entry(code({0xcc, 0x90, 0x90}), entry, entry, place));        // a breakpoint
  EXPECT_FALSE(move_entry(code({0xe3, 0x10, 0x90}), entry, entry, place));        // jrcxz
  EXPECT_FALSE(move_entry(code({}), entry, entry + 64, place));                   // outside
  EXPECT_FALSE(move_entry(code({0x48, 0x8b, 0x05, 0, 0, 0, 0}), entry, entry, entry + (uint64_t{1} << 40)));
}

TEST(MovedEntry, IsRefusedWhereAJumpLeadsIntoIt) {
  auto loop = code({0x55, 0x48, 0x89, 0xe5, 0x53, 0xeb, 0xfa});  // jmp to the mov
  EXPECT_FALSE(move_entry(loop, entry, entry, place));
  auto before = code({0xe9, 0x0c, 0, 0, 0});  // at entry - 16: jmp to entry + 1
  before[16] = std::byte{0x55};
  EXPECT_FALSE(move_entry(before, entry - 16, entry, place));
  auto elsewhere = code({0x0f, 0x84, 0x0a, 0, 0, 0});  // at entry - 16: je to the entry itself
  EXPECT_TRUE(move_entry(elsewhere, entry - 16, entry, place));
}

}  // namespace
}  // namespace culprit
