#include "analysis/target_stacks.h"

#include <alloca.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>

#include <algorithm>

#include "capture/victim.h"
#include "model/clock.h"

#ifndef __has_feature
#define __has_feature(feature) 0
#endif

namespace culprit {
namespace {

constexpr bool is_sanitized = __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);

// Its frame is found by rbp alone, and nothing has saved that when it blocks.
[[gnu::noinline]] long block_where_rbp_is_needed(int number, size_t size) {
  auto* room = static_cast<char*>(alloca(size));
  long result = 0;
  asm volatile("syscall" : "=a"(result) : "a"(SYS_read), "D"(number), "S"(room), "d"(1) : "rcx", "r11", "memory");
  return result + room[0];
}

[[gnu::noinline]] long block_in_libc(int number) {
  char byte = 0;
  return read(number, &byte, 1) + byte;
}

struct Blocked {
  explicit Blocked(long (*block)(int))
      : victim([block] {
          int ends[2];
          return pipe(ends) != 0 ? 1 : static_cast<int>(block(ends[0]));
        }) {
    victim.begin();
    auto opened = open_live_process(victim.pid());
    if (!opened) return;
    target = std::move(*opened);
    // Until it no longer waits to be told, but where it was sent.
    Time deadline = monotonic_now() + 60'000'000'000;
    while (monotonic_now() < deadline) {
      auto found = target->threads(ThreadWish::stacks);
      if (!found) return;
      threads = std::move(*found);
      TargetStacks stacks(*target, {});
      if (leads_through(stacks.walk_all(threads).front(), reinterpret_cast<uint64_t>(block))) break;
      usleep(1000);
    }
    // A thread that was stopped for it may still be on its way back into its call.
    do {
      threads = target->threads(ThreadWish::stacks).value_or(std::vector<TargetThread>{});
    } while (monotonic_now() < deadline && (threads.empty() || threads[0].known != RegistersKnown::stack_only));
  }
  static bool leads_through(const WalkedStack& stack, uint64_t function) {
    return std::ranges::any_of(stack.frames, [&](const WalkedFrame& frame) {
      return frame.address > function && frame.address < function + 1024;  // with a sanitizer's checks
    });
  }
  Victim victim;
  std::unique_ptr<Target> target;
  std::vector<TargetThread> threads;
};

[[gnu::noinline]] long block_by_rbp(int number) {
  return block_where_rbp_is_needed(number, 100 + static_cast<size_t>(number)) + 1;
}

TEST(TargetStacks, WalksABlockedThreadWithoutAStop) {
  if (is_sanitized) GTEST_SKIP() << "sanitized code has frame pointers, which only a stopped thread tells";
  Blocked blocked(block_in_libc);
  ASSERT_EQ(blocked.threads.size(), 1u);
  ASSERT_EQ(blocked.threads[0].known, RegistersKnown::stack_only);
  Time stop_before = blocked.target->longest_stop();
  TargetStacks stacks(*blocked.target, {});
  WalkedStack stack = stacks.walk(blocked.threads[0]);
  EXPECT_TRUE(Blocked::leads_through(stack, reinterpret_cast<uint64_t>(&block_in_libc)));
  EXPECT_EQ(blocked.target->longest_stop(), stop_before);
}

TEST(TargetStacks, AsksForTheRegistersOfAThreadWhoseFrameNeedsThem) {
  Blocked blocked(block_by_rbp);
  ASSERT_EQ(blocked.threads.size(), 1u);
  ASSERT_EQ(blocked.threads[0].known, RegistersKnown::stack_only);
  TargetStacks stacks(*blocked.target, {});
  WalkedStack stack = stacks.walk(blocked.threads[0]);
  EXPECT_TRUE(stack.is_truncated);
  EXPECT_TRUE(stack.needs_bp);
  std::vector<WalkedStack> all = stacks.walk_all(blocked.threads);
  ASSERT_EQ(all.size(), 1u);
  EXPECT_FALSE(all[0].is_truncated);
  EXPECT_GT(all[0].frames.size(), stack.frames.size());
  EXPECT_EQ(blocked.threads[0].known, RegistersKnown::all);
  EXPECT_GT(blocked.threads[0].stopped_for, 0);
}

TEST(TargetStacks, NamesFramesInOneBatch) {
  Blocked blocked(block_in_libc);
  int batches = 0;
  SymbolLookup lookup = [&](std::span<const SymbolRequest> requests) {
    batches++;
    std::vector<SymbolizedFrame> answers;
    for (const SymbolRequest& request : requests) {
      SymbolizedFrame& answer = answers.emplace_back();
      answer.frames = {{.function = "inner", .inlined = true}, {.function = request.module->path}};
    }
    return answers;
  };
  TargetStacks stacks(*blocked.target, lookup);
  std::vector<WalkedStack> walked = stacks.walk_all(blocked.threads);
  std::vector<WalkedStack> twice = {walked[0], walked[0]};
  std::vector<ReportStack> reports = stacks.report(twice);
  EXPECT_EQ(batches, 1);
  ASSERT_EQ(reports.size(), 2u);
  ASSERT_EQ(reports[0].frames.size(), 2 * walked[0].frames.size());
  EXPECT_TRUE(reports[0].frames[0].inlined);
  EXPECT_EQ(reports[0].frames[1].function, reports[0].frames[1].module);
  EXPECT_EQ(reports[0].frames[0].found_by, FoundBy::registers);
}

}  // namespace
}  // namespace culprit
