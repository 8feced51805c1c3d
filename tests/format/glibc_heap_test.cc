// What glibc's structures say, from bytes made by hand as each version lays them out.
#include "format/glibc_heap.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace culprit {
namespace {

constexpr uint64_t arena = 0x7f0000000c80, heap = 0x555500000000;

class Words {
 public:
  explicit Words(size_t bytes) : bytes_(bytes) {}
  template <typename Value = uint64_t>
  Words& set(size_t offset, Value value) {
    std::memcpy(bytes_.data() + offset, &value, sizeof value);
    return *this;
  }
  operator Bytes() const { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
};

// One that has not given out anything yet: all bins point to themselves.
Words fresh_arena() {
  Words words(2200);
  for (size_t i = 0; i < 127; ++i) {
    const uint64_t head = arena + 112 + 16 * i - 16;
    words.set(112 + 16 * i, head).set(120 + 16 * i, head);
  }
  return words.set(96, arena + 96).set(2160, arena).set(2184, uint64_t{0x21000}).set(2192, uint64_t{0x21000});
}

TEST(MallocState, IsKnownByItsBins) {
  auto state = read_malloc_state(fresh_arena(), arena);
  ASSERT_TRUE(state);
  EXPECT_TRUE(state->has_no_memory());
  EXPECT_TRUE(state->is_contiguous);
  EXPECT_FALSE(state->is_locked);
  EXPECT_EQ(state->next, arena);
  EXPECT_EQ(state->system_bytes, 0x21000u);
  EXPECT_TRUE(std::ranges::all_of(state->bins, &MallocState::Bin::is_empty));
}

TEST(MallocState, TellsLockAndFlagsAndWhatIsInItsBins) {
  Words words = fresh_arena();
  words.set<uint32_t>(0, 1).set<uint32_t>(4, 2).set(16, heap + 0x40).set(96, heap + 0x1000);
  words.set(112 + 16 * 5, heap + 0x80).set(120 + 16 * 5, heap + 0x100);
  auto state = read_malloc_state(words, arena);
  ASSERT_TRUE(state);
  EXPECT_TRUE(state->is_locked);
  EXPECT_FALSE(state->is_contiguous);
  EXPECT_FALSE(state->has_no_memory());
  EXPECT_EQ(state->fast[0], heap + 0x40);
  EXPECT_EQ(state->bins[5].first, heap + 0x80);
  EXPECT_EQ(state->bins[5].last, heap + 0x100);
}

TEST(MallocState, IsKnownWithAFewDamagedBinsAndNotWithMany) {
  Words words = fresh_arena();
  for (size_t i = 1; i < 5; ++i) words.set(112 + 16 * i, uint64_t{0x4141414141414141});
  EXPECT_TRUE(read_malloc_state(words, arena));
  words.set(112 + 16 * 5, uint64_t{0x4141414141414141});
  EXPECT_FALSE(read_malloc_state(words, arena));
}

TEST(MallocState, IsFoundAmongOtherVariables) {
  Words data(2200 + 128);
  const Words words = fresh_arena();
  const Bytes state = words;
  for (size_t i = 0; i < 2200; i += 8) {
    uint64_t word = 0;
    std::memcpy(&word, state.data() + i, 8);
    data.set(64 + i, word);
  }
  auto found = find_malloc_states(data, arena - 64);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].address, arena);
  EXPECT_TRUE(find_malloc_states(data, arena - 48).empty()) << "its bins point to where it does not lie";
}

TEST(MallocState, IsNotZerosNorShortBytes) {
  EXPECT_FALSE(read_malloc_state(Words(2200), arena));
  EXPECT_FALSE(read_malloc_state(Bytes(fresh_arena()).first(2199), arena));
}

// As it is since 2.43: bins begin at 24.
Words arena_without_fast_bins() {
  Words words(2112);
  for (size_t i = 0; i < 127; ++i) {
    const uint64_t head = arena + 24 + 16 * i - 16;
    words.set(24 + 16 * i, head).set(32 + 16 * i, head);
  }
  return words.set(8, arena + 8)
      .set(2072, arena)
      .set(2088, uint64_t{3})
      .set(2096, uint64_t{0x21000})
      .set(2104, uint64_t{0x42000});
}

TEST(MallocState, HasNoFastBinsSince243) {
  Words words = arena_without_fast_bins();
  auto fresh = read_malloc_state(words, arena);
  ASSERT_TRUE(fresh);
  EXPECT_TRUE(fresh->has_no_memory());
  EXPECT_EQ(fresh->size, 2112u);
  words.set<uint32_t>(0, 1).set(8, heap + 0x1000).set(24 + 16 * 5, heap + 0x80).set(32 + 16 * 5, heap + 0x100);
  auto used = read_malloc_state(words, arena);
  ASSERT_TRUE(used);
  EXPECT_TRUE(used->is_locked);
  EXPECT_EQ(used->top, heap + 0x1000);
  EXPECT_EQ(used->bins[5].first, heap + 0x80);
  EXPECT_EQ(used->attached_threads, 3u);
  EXPECT_EQ(used->most_system_bytes, 0x42000u);
  EXPECT_TRUE(std::ranges::all_of(used->fast, [](uint64_t chunk) { return chunk == 0; }));
}

TEST(MallocState, OfAStaticProgramNeedsNoWholePages) {
  EXPECT_TRUE(read_malloc_state(fresh_arena().set(2184, uint64_t{0x20b38}), arena));
}

TEST(HeapInfo, TellsItsArenaAndSize) {
  auto info = read_heap_info(
      Words(32).set(0, arena).set(8, uint64_t{0x7f0004000000}).set(16, uint64_t{0x21000}).set(24, uint64_t{0x42000}));
  ASSERT_TRUE(info);
  EXPECT_EQ(info->arena, arena);
  EXPECT_EQ(info->previous, 0x7f0004000000u);
  EXPECT_EQ(info->size, 0x21000u);
  EXPECT_FALSE(read_heap_info(Words(32).set(0, arena).set(16, uint64_t{0x21008}).set(24, uint64_t{0x42000})));
  EXPECT_FALSE(read_heap_info(Words(32).set(0, arena).set(16, uint64_t{0x42000}).set(24, uint64_t{0x21000})));
}

TEST(ThreadCache, HasCountsOfOneByteUntil229AndOfTwoSince) {
  auto old = read_thread_cache(0x250, Words(0x240).set<uint8_t>(2, 3).set(64 + 16, heap + 0x20));
  ASSERT_TRUE(old);
  EXPECT_EQ(old->counts[2], 3);
  EXPECT_EQ(old->entries[2], heap + 0x20);
  auto now = read_thread_cache(0x290, Words(0x280).set<uint16_t>(2 * 63, 700).set(128 + 8 * 63, heap + 0x20));
  ASSERT_TRUE(now);
  EXPECT_EQ(now->counts[63], 700);
  EXPECT_FALSE(now->is_empty());
  EXPECT_TRUE(ThreadCache::sizes_of(63).hold(1040));
  EXPECT_FALSE(ThreadCache::sizes_of(63).hold(1056));
}

// One that has room for 16 blocks in each list.
Words empty_cache_since_2_42() {
  Words words(0x2f8);
  for (size_t list = 0; list < 76; ++list) words.set<uint16_t>(2 * list, 16);
  return words;
}

TEST(ThreadCache, CountsTheRoomInItsListsSince242) {
  auto empty = read_thread_cache(0x300, empty_cache_since_2_42());
  ASSERT_TRUE(empty);
  EXPECT_TRUE(empty->is_empty());
  EXPECT_EQ(empty->lists, 76u);
  auto cache = read_thread_cache(0x300, empty_cache_since_2_42()
                                            .set<uint16_t>(2, 11)
                                            .set(152 + 8, heap + 0x20)
                                            .set<uint16_t>(2 * 65, 0)
                                            .set(152 + 8 * 65, heap + 0x40));
  ASSERT_TRUE(cache);
  EXPECT_EQ(cache->counts[1], 5);
  EXPECT_EQ(cache->counts[65], 16);
  EXPECT_FALSE(read_thread_cache(0x300, Words(0x2f8))) << "without room it is none";
}

TEST(ThreadCache, KeepsLargerBlocksOfSeveralSizesInOneList) {
  EXPECT_FALSE(ThreadCache::sizes_of(64).hold(1040));
  EXPECT_TRUE(ThreadCache::sizes_of(64).hold(1056));
  EXPECT_TRUE(ThreadCache::sizes_of(64).hold(2032));
  EXPECT_FALSE(ThreadCache::sizes_of(64).hold(2048));
  EXPECT_TRUE(ThreadCache::sizes_of(75).hold(3 << 20));
}

TEST(ThreadCache, IsChangingWhereOneCountAndItsListDisagreeAndNoneWhereTwoDo) {
  auto changing = read_thread_cache(0x290, Words(0x280).set<uint16_t>(0, 1));
  ASSERT_TRUE(changing);
  EXPECT_TRUE(changing->is_changing);
  EXPECT_FALSE(read_thread_cache(0x290, Words(0x280).set<uint16_t>(0, 1).set(128 + 8, heap + 0x20)));
  EXPECT_FALSE(read_thread_cache(0x290, Words(0x280).set<uint16_t>(0, 1).set(128, heap + 0x21)));
  EXPECT_FALSE(read_thread_cache(0x2a0, Words(0x290)));
}

TEST(MallocParameters, AreFoundBeforeTheStartOfTheHeapInEachVersion) {
  for (size_t gap : {size_t{0}, size_t{4}}) {  // until 2.34, and since
    Words data(512);
    const size_t at = 256;
    data.set<uint32_t>(at - 32 - gap, 3).set<uint32_t>(at - 28 - gap, 65536).set<uint32_t>(at - 24 - gap, 5);
    data.set(at - 16, uint64_t{0x300000}).set(at - 8, uint64_t{0x500000}).set(at, heap);
    auto found = find_malloc_parameters(data, heap);
    ASSERT_TRUE(found) << gap;
    EXPECT_EQ(found->mmapped_blocks, 3u);
    EXPECT_EQ(found->mmapped_bytes, 0x300000u);
    EXPECT_FALSE(find_malloc_parameters(data, heap + 0x1000));
  }
}

TEST(ChunkHead, GivesWhatABlockCanHold) {
  EXPECT_EQ(usable_size(read_chunk_head(0x21)), 24u);
  EXPECT_EQ(usable_size(read_chunk_head(0x31002)), 0x31000u - 16);
  EXPECT_EQ(usable_size_for(0), 24u);
  EXPECT_EQ(usable_size_for(24), 24u);
  EXPECT_EQ(usable_size_for(25), 40u);
  EXPECT_EQ(usable_size_for(0xa45c), 42088u);
  EXPECT_EQ(usable_size_for(UINT64_MAX), UINT64_MAX);
}

TEST(Links, AreProtectedByWhereTheyLie) {
  EXPECT_EQ(reveal_link(heap, heap >> 12, true), 0u);
  EXPECT_EQ(reveal_link(heap, (heap + 64) ^ (heap >> 12), true), heap + 64);
  EXPECT_EQ(reveal_link(heap, heap + 64, false), heap + 64);
}

}  // namespace
}  // namespace culprit
