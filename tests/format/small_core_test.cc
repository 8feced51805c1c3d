#include "format/small_core.h"

#include <gtest/gtest.h>

#include "format/core_notes.h"
#include "format/elf.h"
#include "support/core_builder.h"

namespace culprit {
namespace {

using testing::CoreBuilder;

constexpr uint64_t page = 4096, stack_start = 0x7000000, heap_start = 0x100000, other_start = 0x200000;

Bytes bytes_of(const std::string& text) { return std::as_bytes(std::span(text)); }

std::string filled(uint64_t pages, char fill) { return std::string(pages * page, fill); }

// The stack is in use from its third page on.
std::string core_with(uint64_t heap_pages) {
  return CoreBuilder()
      .thread({.tid = 7, .ip = 0x400000, .sp = stack_start + 2 * page + 512, .signal = 11})
      .process(7, "victim", "victim")
      .memory(heap_start, heap_pages * page, filled(heap_pages, 'h'))
      .memory(other_start, page, filled(1, 'o'))
      .memory(stack_start, 8 * page, filled(8, 's'))
      .finish();
}

// As whoever reads the original from a pipe would write it.
std::string small_core_of(const std::string& core, const SmallCorePlan& plan) {
  std::string small(reinterpret_cast<const char*>(plan.head.data()), plan.head.size());
  small.resize(plan.size);
  for (const SmallCorePlan::Piece& piece : plan.pieces) core.copy(&small[piece.to], piece.size, piece.from);
  return small;
}

// The byte at an address; 0: it is not stored.
char stored_at(const std::string& core, uint64_t address) {
  auto elf = parse_elf(bytes_of(core));
  if (!elf) return 0;
  for (const ElfSegment& segment : elf->segments) {
    if (!segment.is_load() || address - segment.address >= segment.file_size) continue;
    uint64_t at = segment.offset + (address - segment.address);
    return at < core.size() ? core[at] : '\0';
  }
  return 0;
}

TEST(SmallCore, OfACoreThatFitsHasAllOfIt) {
  std::string core = core_with(4);
  auto plan = plan_small_core(bytes_of(core), {});
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->left_out, 0u);
  EXPECT_EQ(plan->original_size, core.size());
  std::string small = small_core_of(core, *plan);
  EXPECT_EQ(stored_at(small, heap_start + 3 * page), 'h');
  EXPECT_EQ(stored_at(small, other_start), 'o');
  EXPECT_EQ(stored_at(small, stack_start), 's');
}

TEST(SmallCore, KeepsTheUsedStackAndTheSmallMappingsFirst) {
  std::string core = core_with(64);
  auto plan = plan_small_core(bytes_of(core), {.most_bytes = 8 * page});
  ASSERT_TRUE(plan);
  std::string small = small_core_of(core, *plan);
  EXPECT_EQ(stored_at(small, stack_start + 3 * page), 's');
  EXPECT_EQ(stored_at(small, stack_start), 0);  // below the stack pointer
  EXPECT_EQ(stored_at(small, other_start), 'o');
  EXPECT_EQ(stored_at(small, heap_start), 0);
  EXPECT_GE(plan->left_out, 64 * page);
  auto elf = parse_elf(bytes_of(small));
  ASSERT_TRUE(elf);
  // What is missing is claimed behind the end, as in a core that was cut off.
  uint64_t claimed = 0;
  for (const ElfSegment& segment : elf->segments)
    if (segment.is_load()) claimed = std::max(claimed, segment.offset + segment.file_size);
  EXPECT_GT(claimed, small.size());
}

TEST(SmallCore, HasTheNotesOfTheOriginal) {
  std::string core = core_with(64);
  auto plan = plan_small_core(bytes_of(core), {.most_bytes = 8 * page});
  ASSERT_TRUE(plan);
  std::string small = small_core_of(core, *plan);
  auto elf = parse_elf(bytes_of(small));
  ASSERT_TRUE(elf);
  CoreNotes notes;
  for (const ElfSegment& segment : elf->segments)
    if (segment.type == elf::segment_note) add_core_notes(elf->data_of(segment), segment.alignment, notes);
  ASSERT_EQ(notes.threads.size(), 1u);
  EXPECT_EQ(notes.threads[0].tid, 7u);
  EXPECT_EQ(notes.threads[0].registers.rip, 0x400000u);
}

TEST(SmallCore, AsksForTheHeadAloneOfWhateverSize) {
  std::string core = core_with(64);
  auto few = head_size_of_core(bytes_of(core).first(64));
  ASSERT_TRUE(few);
  EXPECT_GT(*few, 64u);
  auto enough = head_size_of_core(bytes_of(core).first(*few));
  ASSERT_TRUE(enough);
  auto last = head_size_of_core(bytes_of(core));
  ASSERT_TRUE(last);
  EXPECT_LT(*last, core.size() - 64 * page);
  EXPECT_TRUE(plan_small_core(bytes_of(core).first(*last), {}));
}

TEST(SmallCore, OfWhatIsNoCoreIsRefused) {
  std::string core = core_with(1);
  EXPECT_FALSE(head_size_of_core(bytes_of("no core at all, but long enough to be looked at: sixty-four bytes")));
  core[16] = 2;  // ET_EXEC
  EXPECT_FALSE(head_size_of_core(bytes_of(core)));
}

}  // namespace
}  // namespace culprit
