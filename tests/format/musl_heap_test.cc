// What musl's malloc keeps of itself, from bytes made by hand.
#include "format/musl_heap.h"

#include <gmock/gmock.h>

#include <array>

namespace culprit {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

using Words = std::array<uint64_t, 32>;

// At word 4: the secret; whether it is set up and a counter; six words; the first and the last area.
Words with_context() {
  Words words{};
  words[4] = 0x1122334455667788;
  words[5] = uint64_t{17} << 32 | 1;
  words[11] = 0x555500002000;
  words[12] = 0x555500007000;
  return words;
}

TEST(MuslHeap, IsFoundAmongOtherVariables) {
  const Words words = with_context();
  EXPECT_THAT(find_musl_heaps(std::as_bytes(std::span(words))),
              ElementsAre(MuslHeap{0x1122334455667788, 0x555500002000, 0x555500007000}));
}

TEST(MuslHeap, HasASecretIsSetUpAndItsAreasAreWholePages) {
  const std::pair<size_t, uint64_t> broken[] = {
      {4, 0}, {5, 0}, {5, 2}, {11, 0}, {11, 0x555500002008}, {12, uint64_t{1} << 47}};
  for (const auto& [word, value] : broken) {
    Words words = with_context();
    words[word] = value;
    EXPECT_THAT(find_musl_heaps(std::as_bytes(std::span(words))), IsEmpty()) << word;
  }
}

TEST(MuslHeap, IsNotReadBeyondTheEnd) {
  const Words words = with_context();
  EXPECT_THAT(find_musl_heaps(std::as_bytes(std::span(words)).first(13 * 8 - 1)), IsEmpty());
  EXPECT_THAT(find_musl_heaps({}), IsEmpty());
}

}  // namespace
}  // namespace culprit
