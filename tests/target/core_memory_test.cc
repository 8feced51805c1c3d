#include "target/core_memory.h"

#include <gtest/gtest.h>

#include <array>
#include <string>

namespace culprit {
namespace {

std::string text_of(CoreMemory& memory, uint64_t address, size_t size) {
  std::string text(size, '?');
  bool is_there = memory.read(address, std::as_writable_bytes(std::span(text.data(), size)));
  return is_there ? text : "unreadable";
}

TEST(CoreMemory, ReadsAcrossPiecesThatTouch) {
  CoreMemory memory;
  memory.add({{104, as_bytes("efgh")}, {100, as_bytes("abcd")}});
  EXPECT_EQ(text_of(memory, 102, 4), "cdef");
  EXPECT_EQ(text_of(memory, 100, 8), "abcdefgh");
  EXPECT_EQ(text_of(memory, 105, 3), "fgh");
}

TEST(CoreMemory, ReadsNothingWhereAPartIsMissing) {
  CoreMemory memory;
  memory.add({{100, as_bytes("abcd")}, {105, as_bytes("fgh")}});
  EXPECT_EQ(text_of(memory, 102, 4), "unreadable");
  EXPECT_EQ(text_of(memory, 99, 2), "unreadable");
  EXPECT_EQ(text_of(memory, 108, 1), "unreadable");
  EXPECT_EQ(text_of(memory, 106, 3), "unreadable");
}

TEST(CoreMemory, KeepsWhatIsThereWhereLaterPiecesOverlapIt) {
  CoreMemory memory;
  memory.add({{102, as_bytes("CD")}, {106, as_bytes("GH")}});
  memory.add({{100, as_bytes("abcdefghij")}});
  EXPECT_EQ(text_of(memory, 100, 10), "abCDefGHij");
}

TEST(CoreMemory, KeepsTheFirstOfPiecesThatOverlapEachOther) {
  CoreMemory memory;
  memory.add({{100, as_bytes("abcdef")}, {102, as_bytes("XY")}, {104, as_bytes("12345")}, {106, as_bytes("-")}});
  EXPECT_EQ(text_of(memory, 100, 9), "abcdef345");
}

TEST(CoreMemory, DropsAPieceThatLeavesTheAddressSpace) {
  CoreMemory memory;
  memory.add({{UINT64_MAX - 2, as_bytes("abcd")}, {UINT64_MAX - 8, as_bytes("efgh")}});
  EXPECT_EQ(text_of(memory, UINT64_MAX - 8, 4), "efgh");
  EXPECT_EQ(text_of(memory, UINT64_MAX - 2, 1), "unreadable");
}

// Against an array of bytes, with pieces that a fixed sequence of numbers chooses.
TEST(CoreMemory, IsWhatFillingInThePiecesOneByOneGives) {
  uint64_t state = 1;
  auto next = [&](uint64_t bound) {
    state = state * 6364136223846793005 + 1442695040888963407;
    return (state >> 33) % bound;
  };
  const std::string content(64, 'x');
  for (int round = 0; round < 300; ++round) {
    CoreMemory memory;
    std::array<int, 128> owner{};
    std::vector<std::string> texts(12);
    int number = 0;
    for (int group = 0; group < 3; ++group) {
      std::vector<CorePiece> pieces;
      for (int i = 0; i < 4; ++i, ++number) {
        texts[static_cast<size_t>(number)] = std::string(next(30), static_cast<char>('a' + number));
        pieces.push_back({1000 + next(90), as_bytes(texts[static_cast<size_t>(number)])});
      }
      auto sorted = pieces;
      std::stable_sort(sorted.begin(), sorted.end(), [](auto& one, auto& other) { return one.start < other.start; });
      for (const CorePiece& piece : sorted)
        for (size_t i = 0; i < piece.bytes.size(); ++i)
          if (int& here = owner[piece.start - 1000 + i]; here == 0) here = static_cast<int>(piece.bytes[i]);
      memory.add(std::move(pieces));
    }
    for (size_t i = 0; i < owner.size(); ++i) {
      std::string expected = owner[i] == 0 ? "unreadable" : std::string(1, static_cast<char>(owner[i]));
      ASSERT_EQ(text_of(memory, 1000 + i, 1), expected) << "round " << round << " at " << i;
    }
  }
}

}  // namespace
}  // namespace culprit
