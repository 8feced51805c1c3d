#include "unwind/unwinder.h"

#include <gmock/gmock.h>
#include <sys/mman.h>

#include <algorithm>

#include "unwind/process_memory.h"
#include "unwind/unwind_table.h"

namespace culprit {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr uint64_t bias = 0x5555'0000'0000, text = 0x1000, text_end = 0x2000, jit = 0x7000'0000, jit_size = 0x100;
constexpr uint64_t stack_start = 0x7fff'0000'0000;

culprit_unwind_row row(uint32_t pc, unsigned kind, unsigned slots, int16_t rbp = 0) {
  return {.pc = pc, .cfa = CULPRIT_ROW_CFA(kind, slots), .rbp = rbp};
}

uint64_t code(uint64_t address) { return bias + address; }
WalkedFrame by_table(uint64_t address) { return {address, FoundBy::unwind_table}; }
WalkedFrame by_pointer(uint64_t address) { return {address, FoundBy::frame_pointer}; }
WalkedFrame exact(uint64_t address) { return {address, FoundBy::registers}; }

// A module with the rows under test, a piece of code without any, and a stack of words, all zero at first.
class Unwinder : public ::testing::Test {
 protected:
  uint64_t at(size_t word) const { return stack_start + 8 * word; }

  void rows(std::initializer_list<culprit_unwind_row> rows) {
    rows_ = rows;
    rows_.push_back(row(text_end, CULPRIT_ROW_NONE, 0));
  }

  WalkedStack walk(const UnwindRegisters& registers, const UnwindOptions& options = {}) {
    CopiedMemory memory(stack_start, std::as_bytes(std::span(stack_)));
    CodeLookup lookup = [&](uint64_t pc) -> std::optional<UnwindCode> {
      if (pc >= jit_ && pc < jit_ + jit_size) return UnwindCode{};
      if (pc < code(text) || pc >= code(text_end)) return {};
      return UnwindCode{bias, rows_, far_};
    };
    return walk_stack(registers, memory, lookup, options);
  }

  uint64_t jit_ = jit;
  std::vector<culprit_unwind_row> rows_;
  std::vector<uint32_t> far_;
  std::vector<uint64_t> stack_ = std::vector<uint64_t>(64);
};

TEST_F(Unwinder, FollowsReturnAddressesToTheOutermostFrame) {
  rows({row(0x1000, CULPRIT_ROW_RSP, 2), row(0x1100, CULPRIT_ROW_END, 0)});
  stack_[1] = code(0x1010);
  stack_[3] = code(0x1150);
  WalkedStack walked = walk({code(0x1004), at(0), 0});
  EXPECT_THAT(walked.frames, ElementsAre(exact(code(0x1004)), by_table(code(0x1010)), by_table(code(0x1150))));
  std::vector<uint64_t> places;
  for (const WalkedFrame& frame : walked.frames) places.push_back(frame.sp);
  EXPECT_THAT(places, ElementsAre(at(0), at(2), at(4))) << "where the stack pointer is after each return";
  EXPECT_FALSE(walked.is_truncated);
}

TEST_F(Unwinder, LooksUpAReturnAddressInsideTheCallBeforeIt) {
  // The call is the last instruction of a function that does not return.
  rows({row(0x1000, CULPRIT_ROW_RSP, 1), row(0x1010, CULPRIT_ROW_RSP, 4)});
  stack_[0] = code(0x1010);
  WalkedStack walked = walk({code(0x1004), at(0), 0});
  EXPECT_THAT(walked.frames, ElementsAre(exact(code(0x1004)), by_table(code(0x1010))));
  EXPECT_FALSE(walked.is_truncated);  // the word above is zero
}

TEST_F(Unwinder, SaysThatItWouldHaveNeededAFramePointerNobodyKnows) {
  rows({row(0x1000, CULPRIT_ROW_RSP, 2), row(0x1100, CULPRIT_ROW_RBP, 2)});
  stack_[1] = code(0x1150);
  WalkedStack walked = walk({code(0x1004), at(0), 0, false});
  EXPECT_EQ(walked.frames.size(), 2u);
  EXPECT_TRUE(walked.is_truncated);
  EXPECT_TRUE(walked.needs_bp);
}

TEST_F(Unwinder, NeedsNoFramePointerThatTheStackHas) {
  rows({row(0x1000, CULPRIT_ROW_RSP, 2, -2), row(0x1100, CULPRIT_ROW_RBP, 2)});
  stack_[0] = at(10);
  stack_[1] = code(0x1150);
  stack_[11] = 0;
  WalkedStack walked = walk({code(0x1004), at(0), 0, false});
  EXPECT_FALSE(walked.is_truncated);
  EXPECT_FALSE(walked.needs_bp);
}

TEST_F(Unwinder, RestoresTheFramePointerForTheFunctionThatNeedsIt) {
  rows({row(0x1000, CULPRIT_ROW_RSP, 2, -2), row(0x1100, CULPRIT_ROW_RBP, 2)});
  stack_[0] = at(10);
  stack_[1] = code(0x1150);
  stack_[11] = code(0x1180);
  stack_[12] = 0;
  WalkedStack walked = walk({code(0x1004), at(0), 0x1234});
  ASSERT_EQ(walked.frames.size(), 3u);
  EXPECT_EQ(walked.frames[2], by_table(code(0x1180)));
}

TEST_F(Unwinder, EndsWhereAFramePointerIsNeededThatIsNotKnown) {
  rows({row(0x1000, CULPRIT_ROW_RSP, 1, CULPRIT_RBP_UNKNOWN), row(0x1100, CULPRIT_ROW_RBP, 2)});
  stack_[0] = code(0x1150);
  stack_[11] = code(0x1180);
  WalkedStack walked = walk({code(0x1004), at(0), at(10)});
  EXPECT_THAT(walked.frames, ElementsAre(exact(code(0x1004)), by_table(code(0x1150))));
  EXPECT_TRUE(walked.is_truncated);
}

TEST_F(Unwinder, DependsOnTheFramePointerOnlyWhereItIsUsed) {
  rows({row(0x1000, CULPRIT_ROW_RSP, 2, -2), row(0x1100, CULPRIT_ROW_RBP, 2), row(0x1200, CULPRIT_ROW_END, 0)});
  auto addresses = [](const WalkedStack& walked) {
    std::vector<uint64_t> addresses;
    for (const StackWord& word : walked.words) addresses.push_back(word.address);
    return addresses;
  };
  stack_[0] = at(10);
  stack_[1] = code(0x1250);
  WalkedStack walked = walk({code(0x1004), at(0), 0x1234});
  EXPECT_THAT(addresses(walked), ElementsAre(at(1)));
  EXPECT_FALSE(walked.needs_bp);
  stack_[1] = code(0x1150);
  stack_[11] = code(0x1280);
  walked = walk({code(0x1004), at(0), 0x1234});
  EXPECT_THAT(addresses(walked), ElementsAre(at(1), at(0), at(11)));
  EXPECT_FALSE(walked.needs_bp);
  EXPECT_TRUE(walk({code(0x1104), at(0), at(10)}).needs_bp);
}

TEST_F(Unwinder, FindsTheCfaOfFunctionsThatRealignTheirStack) {
  rows({row(0x1000, CULPRIT_ROW_RBP_DEREF, 1, CULPRIT_RBP_AT_RBP), row(0x1100, CULPRIT_ROW_END, 0)});
  stack_[9] = at(20);   // at rbp - 8
  stack_[10] = 0x1234;  // at rbp: the caller's
  stack_[19] = code(0x1150);
  WalkedStack walked = walk({code(0x1004), at(0), at(10)});
  EXPECT_THAT(walked.frames, ElementsAre(exact(code(0x1004)), by_table(code(0x1150))));
}

TEST_F(Unwinder, KnowsFramesTooLargeForARow) {
  far_ = {3, 40};
  rows({row(0x1000, CULPRIT_ROW_FAR, 1), row(0x1100, CULPRIT_ROW_END, 0)});
  stack_[39] = code(0x1150);
  EXPECT_EQ(walk({code(0x1004), at(0), 0}).frames.back(), by_table(code(0x1150)));
  rows_[0] = row(0x1000, CULPRIT_ROW_FAR, 2);
  EXPECT_TRUE(walk({code(0x1004), at(0), 0}).is_truncated);
}

TEST_F(Unwinder, KnowsWhereInAPltEntryItIs) {
  rows({row(0x1000, CULPRIT_ROW_PLT, 11), row(0x1100, CULPRIT_ROW_END, 0)});
  stack_[0] = code(0x1150);
  stack_[1] = code(0x1160);
  EXPECT_EQ(walk({code(0x100a), at(0), 0}).frames.back(), by_table(code(0x1150)));
  EXPECT_EQ(walk({code(0x100b), at(0), 0}).frames.back(), by_table(code(0x1160)));
}

TEST_F(Unwinder, GoesOnAtTheInterruptedInstructionBehindASignal) {
  rows({row(0x1000, CULPRIT_ROW_SIGNAL, 0), row(0x1100, CULPRIT_ROW_RSP, 1), row(0x1110, CULPRIT_ROW_END, 0)});
  stack_[120 / 8] = 0x1234;
  stack_[160 / 8] = at(40);
  stack_[168 / 8] = code(0x1100);  // the very first instruction: one byte before, another rule holds
  stack_[40] = code(0x1150);
  WalkedStack walked = walk({code(0x1004), at(0), 0});
  EXPECT_THAT(walked.frames, ElementsAre(exact(code(0x1004)), exact(code(0x1100)), by_table(code(0x1150))));
  EXPECT_FALSE(walked.is_truncated);
}

TEST_F(Unwinder, FollowsFramePointersThroughCodeWithoutTableAndSaysSo) {
  rows({row(0x1100, CULPRIT_ROW_END, 0)});
  stack_[4] = at(8);
  stack_[5] = jit + 0x20;
  stack_[8] = 0;
  stack_[9] = code(0x1150);
  WalkedStack walked = walk({jit + 0x10, at(2), at(4)});
  EXPECT_THAT(walked.frames, ElementsAre(exact(jit + 0x10), by_pointer(jit + 0x20), by_pointer(code(0x1150))));
  EXPECT_FALSE(walked.is_truncated);
}

TEST_F(Unwinder, TakesTheCallerOfAFunctionWithoutFrameFromTheTopOfTheStack) {
  // The code is the first words of the stack, so that it can be read: a call to 0x40, from 0x10 to 0x15.
  jit_ = stack_start;
  auto* bytes = reinterpret_cast<uint8_t*>(stack_.data());
  bytes[0x10] = 0xe8;
  bytes[0x11] = 0x40 - 0x15;
  stack_[30] = stack_start + 0x15;
  stack_[34] = 0;
  stack_[35] = stack_start + 0x30;
  WalkedStack walked = walk({stack_start + 0x42, at(30), at(34)});
  WalkedFrame caller{stack_start + 0x15, FoundBy::scan};
  EXPECT_THAT(walked.frames, ElementsAre(exact(stack_start + 0x42), caller, by_pointer(stack_start + 0x30)));
  bytes[0x11] = 0x60 - 0x15;  // a call to somewhere behind
  walked = walk({stack_start + 0x42, at(30), at(34)});
  EXPECT_THAT(walked.frames, ElementsAre(exact(stack_start + 0x42), by_pointer(stack_start + 0x30)));
}

TEST_F(Unwinder, ChainsOfFramePointersEndWithZero) {
  stack_[4] = 0;
  stack_[5] = jit + 0x20;
  EXPECT_FALSE(walk({jit + 0x10, at(2), at(4)}).is_truncated);
  EXPECT_TRUE(walk({jit + 0x10, at(2), 0}).is_truncated);  // it may be no frame pointer at all
}

TEST_F(Unwinder, DoesNotBelieveAFramePointerThatCannotBeOne) {
  stack_[5] = jit + 0x20;
  EXPECT_TRUE(walk({jit + 0x10, at(6), at(4)}).is_truncated);      // below the stack pointer
  EXPECT_TRUE(walk({jit + 0x10, at(2), at(4) + 1}).is_truncated);  // not aligned
  EXPECT_TRUE(walk({jit + 0x10, at(2), at(100)}).is_truncated);    // not in the stack
  stack_[5] = 0x1234;                                              // no code there
  WalkedStack walked = walk({jit + 0x10, at(2), at(4)});
  EXPECT_THAT(walked.frames, ElementsAre(exact(jit + 0x10)));
  EXPECT_TRUE(walked.is_truncated);
}

TEST_F(Unwinder, NeverGoesInwards) {
  // Tables that lie, or a stack somebody wrote over.
  rows({row(0x1000, CULPRIT_ROW_RBP, 0)});
  std::ranges::fill(stack_, code(0x1010));
  WalkedStack walked = walk({code(0x1004), at(20), at(10)});
  EXPECT_THAT(walked.frames, ElementsAre(exact(code(0x1004))));
  EXPECT_TRUE(walked.is_truncated);
}

TEST_F(Unwinder, StopsAtItsLimitEvenInAStackWithoutEnd) {
  rows({row(0x1000, CULPRIT_ROW_SIGNAL, 0)});
  std::ranges::fill(stack_, code(0x1010));
  stack_[160 / 8] = at(0);  // a signal frame that leads to itself
  WalkedStack walked = walk({code(0x1004), at(0), 0}, {.limit = 100});
  EXPECT_EQ(walked.frames.size(), 100u);
  EXPECT_TRUE(walked.is_truncated);
}

TEST_F(Unwinder, EndsWhereTheCopyOfTheStackEnds) {
  rows({row(0x1000, CULPRIT_ROW_RSP, 2)});
  for (size_t word = 1; word < stack_.size(); word += 2) stack_[word] = code(0x1010);
  WalkedStack walked = walk({code(0x1004), at(0), 0});
  EXPECT_EQ(walked.frames.size(), 1 + stack_.size() / 2);
  EXPECT_TRUE(walked.is_truncated);
}

TEST_F(Unwinder, SaysNothingAboutWhatIsNotCode) {
  WalkedStack walked = walk({0x1234, at(0), 0});
  EXPECT_THAT(walked.frames, ElementsAre(exact(0x1234)));
  EXPECT_TRUE(walked.is_truncated);
}

// Two readable pages, and one behind them that is not.
class ProcessMemoryTest : public ::testing::Test {
 protected:
  static constexpr size_t page = 4096;
  void SetUp() override {
    void* place = mmap(nullptr, 3 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(place, MAP_FAILED);
    words_ = static_cast<uint64_t*>(place);
    mprotect(words_ + 2 * words_per_page, page, PROT_NONE);
    for (uint64_t i = 0; i < 2 * words_per_page; i++) words_[i] = i;
  }
  void TearDown() override { munmap(words_, 3 * page); }
  uint64_t address(size_t word) const { return reinterpret_cast<uint64_t>(words_ + word); }

  static constexpr size_t words_per_page = page / 8;
  uint64_t* words_ = nullptr;
  ProcessMemory memory_{static_cast<uint32_t>(getpid())};
};

TEST_F(ProcessMemoryTest, ReadsUpToTheLastByteThatIsThere) {
  EXPECT_EQ(memory_.word(address(0)), 0u);
  EXPECT_EQ(memory_.word(address(2 * words_per_page - 1)), 2 * words_per_page - 1);
  EXPECT_EQ(memory_.word(address(2 * words_per_page)), std::nullopt);
  EXPECT_EQ(memory_.word(address(2 * words_per_page) - 4), std::nullopt);
  EXPECT_EQ(memory_.word(address(words_per_page + 3)), words_per_page + 3);
}

TEST_F(ProcessMemoryTest, SeesWhatChangedOnceToldToForget) {
  EXPECT_EQ(memory_.word(address(1)), 1u);
  words_[1] = 77;
  memory_.forget();
  EXPECT_EQ(memory_.word(address(1)), 77u);
}

TEST_F(ProcessMemoryTest, ReadsMoreThanASliceOrNothing) {
  std::vector<std::byte> large(40000);
  EXPECT_FALSE(memory_.read(address(0), large));
  std::vector<uint64_t> source(5000, 42), copy(5000);
  ASSERT_TRUE(memory_.read(reinterpret_cast<uint64_t>(source.data()), std::as_writable_bytes(std::span(copy))));
  EXPECT_EQ(copy, source);
}

TEST_F(ProcessMemoryTest, DoesNotReadWhereNoProcessHasMemory) {
  EXPECT_EQ(memory_.word(0), std::nullopt);
  EXPECT_EQ(memory_.word(~uint64_t{7}), std::nullopt);
}

}  // namespace
}  // namespace culprit
