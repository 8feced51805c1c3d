#include "analysis/heap_walk.h"

#include <dlfcn.h>
#include <gmock/gmock.h>
#include <malloc.h>

#include "analysis/heap_place.h"
#include "capture/victim.h"
#include "support/heap_builder.h"

namespace culprit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::HeapBuilder;

// One region of the main arena with these chunks; the last one is its top.
struct Heap {
  explicit Heap(const HeapBuilder& built, uint64_t top) : memory(HeapBuilder::start, built.bytes()) {
    layout.arenas.resize(1);
    layout.arenas[0].state.top = top;
    layout.regions.push_back({HeapBuilder::start, built.end(), built.end(), HeapBuilder::start, 0});
  }
  HeapWalkResult walk() {
    blocks.clear();
    return walk_heap(layout, memory, [this](const HeapBlock& block, Bytes) {
      blocks.push_back(block);
      return true;
    });
  }
  std::vector<HeapBlockState> states() const {
    std::vector<HeapBlockState> all;
    for (const HeapBlock& block : blocks) all.push_back(block.state);
    return all;
  }

  HeapLayout layout;
  CopiedMemory memory;
  std::vector<HeapBlock> blocks;
};

TEST(HeapWalk, TellsBlocksInUseFromFreeOnesByWhatFollowsThem) {
  HeapBuilder built;
  const uint64_t first = built.used(32);
  built.freed(48);
  const uint64_t cached = built.used(64), fast = built.used(64);
  Heap heap(built, built.top(4096));
  heap.layout.listed = {{cached, FreeListKind::thread_cache}, {fast, FreeListKind::fast_bin}};
  auto result = heap.walk();
  EXPECT_TRUE(result.breaks.empty());
  EXPECT_THAT(heap.states(), ElementsAre(HeapBlockState::in_use, HeapBlockState::free, HeapBlockState::cached,
                                         HeapBlockState::fast, HeapBlockState::top));
  EXPECT_EQ(heap.blocks[0].address, first + 16);
  EXPECT_EQ(heap.blocks[0].size, 24u);
  EXPECT_EQ(heap.blocks[1].size, 40u);
  EXPECT_EQ(result.walked_bytes, built.bytes().size());
  EXPECT_EQ(result.skipped_bytes, 0u);
}

TEST(HeapWalk, GivesTheFirstBytesOfEachBlock) {
  HeapBuilder built;
  const uint64_t chunk = built.used(64);
  built.word(chunk + 16, 0x1234);
  Heap heap(built, built.top(4096));
  uint64_t first = 0;
  walk_heap(heap.layout, heap.memory, [&](const HeapBlock&, Bytes bytes) {
    EXPECT_EQ(bytes.size(), 16u);
    std::memcpy(&first, bytes.data(), 8);
    return false;
  });
  EXPECT_EQ(first, 0x1234u);
}

TEST(HeapWalk, SaysWhereAnOverwrittenSizeIsAndGoesOnBehindIt) {
  HeapBuilder built;
  for (int i = 0; i < 10; ++i) built.used(112);
  const uint64_t written = built.used(208), broken = built.used(208);
  for (int i = 0; i < 20; ++i) built.used(112);
  const uint64_t top = built.top(4096);
  built.word(broken + 8, 0x4141414141414141);
  Heap heap(built, top);
  auto result = heap.walk();
  ASSERT_EQ(result.breaks.size(), 1u);
  const HeapBreak& found = result.breaks[0];
  EXPECT_EQ(found.chunk, broken);
  EXPECT_THAT(found.what, HasSubstr("0x4141414141414141, which is the text \"AAAAAAAA\""));
  ASSERT_TRUE(found.before && found.after);
  EXPECT_EQ(found.before->chunk(), written);
  EXPECT_EQ(found.after->chunk(), broken + 208);
  EXPECT_EQ(found.skipped, 208u);
  EXPECT_FALSE(found.is_under_change);
  EXPECT_EQ(heap.blocks.size(), 10u + 1 + 20 + 1);
}

TEST(HeapWalk, CallsWhatIsInconsistentInAnArenaAtWorkUnderChange) {
  HeapBuilder built;
  const uint64_t broken = built.used(64);
  for (int i = 0; i < 20; ++i) built.used(64);
  Heap heap(built, built.top(4096));
  HeapBuilder damaged = built;
  damaged.word(broken + 8, 3);
  Heap changed(damaged, damaged.end() - 4096);
  changed.layout.arenas[0].is_busy = true;
  auto result = changed.walk();
  ASSERT_EQ(result.breaks.size(), 1u);
  EXPECT_TRUE(result.breaks[0].is_under_change);
  EXPECT_EQ(changed.blocks.size(), 21u);
}

TEST(HeapWalk, NoticesAFreeBlockWhoseTwoSizesDiffer) {
  HeapBuilder built;
  built.used(64);
  const uint64_t freed = built.freed(128);
  for (int i = 0; i < 20; ++i) built.used(64);
  const uint64_t top = built.top(4096);
  built.word(freed + 128, 0x60);
  Heap heap(built, top);
  auto result = heap.walk();
  ASSERT_EQ(result.breaks.size(), 1u);
  EXPECT_EQ(result.breaks[0].chunk, freed);
  EXPECT_EQ(result.breaks[0].skipped, 128u);
}

TEST(HeapWalk, NoticesThatTheRestOfTheMemoryHasAnotherSizeThanItSays) {
  HeapBuilder built;
  built.used(64);
  const uint64_t top = built.top(4096);
  built.word(top + 8, UINT64_MAX);
  Heap heap(built, top);
  auto result = heap.walk();
  ASSERT_EQ(result.breaks.size(), 1u);
  EXPECT_EQ(result.breaks[0].chunk, top);
  EXPECT_EQ(heap.blocks.back().chunk_size, 4096u);
}

TEST(HeapWalk, EndsAtTheFencesOfAPieceThatIsFull) {
  HeapBuilder built;
  built.used(64);
  built.used(64);
  built.fences();
  Heap heap(built, 0);
  EXPECT_TRUE(heap.walk().breaks.empty());
  EXPECT_EQ(heap.blocks.size(), 2u);
}

TEST(HeapWalk, PassesOverWhatOthersGotFromSbrk) {
  HeapBuilder built;
  built.used(64);
  built.fences();
  const uint64_t foreign = built.end();
  for (int i = 0; i < 512; ++i) built.word(built.chunk(16), 0x4242424242424242);
  for (uint64_t at = foreign; at < built.end(); at += 8) built.word(at, 0x4242424242424242);
  for (int i = 0; i < 20; ++i) built.used(64);
  Heap heap(built, built.top(4096));
  auto result = heap.walk();
  EXPECT_TRUE(result.breaks.empty());
  EXPECT_EQ(result.foreign_bytes, 32u + 512 * 16);
  EXPECT_EQ(heap.blocks.size(), 1u + 20 + 1);
}

TEST(HeapWalk, EndsOnAHeapThatIsDamagedEverywhere) {
  HeapBuilder built;
  for (int i = 0; i < 50000; ++i) built.word(built.used(32) + 8, 0x4141414141414141 + i);
  Heap heap(built, 0);
  auto result = heap.walk();
  EXPECT_FALSE(result.breaks.empty());
  EXPECT_LE(result.breaks.size(), 65u);
  EXPECT_EQ(result.skipped_bytes, built.bytes().size());
}

TEST(HeapPlace, IsTheBlockWithItsNeighbours) {
  HeapBuilder built;
  const uint64_t before = built.used(64), asked = built.used(96), after = built.freed(128);
  Heap heap(built, built.top(4096));
  auto place = place_in_heap(heap.layout, heap.memory, asked + 16 + 40);
  ASSERT_TRUE(place && place->block && place->before && place->after);
  EXPECT_EQ(place->block->chunk(), asked);
  EXPECT_EQ(place->offset, 40);
  EXPECT_EQ(place->before->chunk(), before);
  EXPECT_EQ(place->after->chunk(), after);
  EXPECT_EQ(place->after->state, HeapBlockState::free);
  EXPECT_FALSE(place->nearest_break);
  EXPECT_FALSE(place_in_heap(heap.layout, heap.memory, 0x1000));
}

TEST(HeapPlace, HoldsTheLastBytesWhichLieInTheNextChunk) {
  HeapBuilder built;
  const uint64_t first = built.used(64), second = built.used(64);
  Heap heap(built, built.top(4096));
  EXPECT_EQ(place_in_heap(heap.layout, heap.memory, second + 7)->block->chunk(), first);
  EXPECT_EQ(place_in_heap(heap.layout, heap.memory, second + 8)->block->chunk(), second);
  EXPECT_EQ(place_in_heap(heap.layout, heap.memory, second + 8)->offset, -8);
}

TEST(HeapPlace, TellsOfDamageNearby) {
  HeapBuilder built;
  const uint64_t before = built.used(64), broken = built.used(64);
  for (int i = 0; i < 20; ++i) built.used(64);
  const uint64_t top = built.top(4096);
  built.word(broken + 8, 0x4141414141414141);
  Heap heap(built, top);
  auto place = place_in_heap(heap.layout, heap.memory, broken + 16);
  ASSERT_TRUE(place && place->nearest_break);
  EXPECT_FALSE(place->block);
  EXPECT_EQ(place->nearest_break->chunk, broken);
  EXPECT_EQ(place->before->chunk(), before);
}

// Blocks of one size that nothing else has.
constexpr size_t own_size = 54321, own_usable = 54328;

TEST(HeapLayout, OfAProcessHasTheBlocksThatItMade) {
  if (dlsym(RTLD_DEFAULT, "__asan_init") != nullptr) GTEST_SKIP() << "a sanitizer's malloc is not glibc's";
  Victim victim([] {
    void* blocks[500];
    for (void*& block : blocks) block = malloc(own_size);
    for (size_t i = 0; i < 500; i += 5) free(blocks[i]);
    volatile auto mapped = reinterpret_cast<uint64_t>(malloc(size_t{40} << 20));
    return mapped != 0 ? static_cast<int>(mallinfo2().hblks) : -1;
  });
  victim.begin();
  const int mmapped_blocks = victim.wait_until_done();
  auto target = open_live_process(victim.pid());
  ASSERT_TRUE(target);
  auto held = (*target)->hold_still([&](std::span<const TargetThread> threads) {
    auto layout = find_heap(**target, threads);
    ASSERT_TRUE(layout) << layout.error().what;
    EXPECT_TRUE(layout->notes.empty()) << layout->notes.front();
    EXPECT_TRUE(layout->breaks.empty()) << layout->breaks.front().what;
    EXPECT_EQ(layout->mmapped.size(), static_cast<size_t>(mmapped_blocks));
    EXPECT_EQ(layout->missing_mmapped(), 0u);
    int found = 0;
    auto walked = walk_heap(*layout, (*target)->memory(), [&](const HeapBlock& block, Bytes) {
      if (block.is_in_use() && block.size == own_usable) ++found;
      return true;
    });
    EXPECT_TRUE(walked.breaks.empty()) << walked.breaks.front().what;
    EXPECT_EQ(found, 400);
  });
  EXPECT_TRUE(held) << held.error().what;
  EXPECT_GT((*target)->longest_stop(), 0);
}

}  // namespace
}  // namespace culprit
