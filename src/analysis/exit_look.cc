#include "analysis/exit_look.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "analysis/block_table.h"
#include "analysis/heap_allocator.h"
#include "analysis/heap_roots.h"
#include "analysis/heap_walk.h"
#include "analysis/memory_snapshot.h"
#include "analysis/reachability.h"
#include "base/text.h"

namespace culprit {

namespace {

// What must be known before the process goes. Its roots are read where they lie: they may be much, and it has nothing
// else to do.
struct Scene {
  Result<MemorySnapshot> heap = fail(ErrorKind::limit, "");
  std::string why_not;
  BlockTable blocks;
  std::optional<ReachabilitySearch> search;
};

// The thread waits in the agent: what registers it has are the agent's, and the program's lie on the stack.
std::vector<TargetThread> without_agent(std::span<const TargetThread> threads, const ExitingThread& exiting) {
  std::vector<TargetThread> all(threads.begin(), threads.end());
  for (TargetThread& thread : all) {
    if (thread.tid != exiting.tid || exiting.stack_from < thread.registers.rsp) continue;
    thread.registers = {.rsp = exiting.stack_from, .fs_base = thread.registers.fs_base};
  }
  return all;
}

// Empty: it can be walked.
std::string why_no_walk(Target& target, const Result<HeapLayout>& layout) {
  const HeapAllocator allocator = allocator_of(target, layout.has_value());
  if (allocator.is_foreign())
    return fmt::format("malloc is served by {}, and only the blocks of glibc's malloc can be told apart",
                       allocator.name);
  return layout ? "" : layout.error().what;
}

// What was never touched is read as zeros, and reading it would make the kernel build page tables for it.
void leave_out_absent_pages(Target& target, HeapRoots& roots) {
  std::vector<AddressRange> present;
  for (const AddressRange& range : roots.ranges)
    for (const AddressRange& pages : target.present_pages(range).ranges)
      present.push_back({std::max(range.start, pages.start), std::min(range.end, pages.end)});
  roots.ranges = std::move(present);
}

void look(Target& target, std::span<const TargetThread> threads, Scene& scene) {
  MemoryReader& memory = target.memory();
  auto layout = find_heap(target, memory, threads);
  scene.why_not = why_no_walk(target, layout);
  if (!scene.why_not.empty()) return;
  scene.heap = MemorySnapshot::of(target, heap_ranges(*layout));
  if (!scene.heap) return;
  const HeapWalkResult walked = walk_heap(*layout, *scene.heap, [&](const HeapBlock& block, Bytes) {
    if (block.is_in_use()) scene.blocks.add(block.address, block.size);
    return true;
  });
  if (!walked.breaks.empty()) scene.why_not = "the heap is damaged: " + walked.breaks.front().what;
  HeapRoots roots = find_heap_roots(target, memory, *layout, threads);
  leave_out_absent_pages(target, roots);
  scene.blocks.finish();
  const uint64_t unread = scene.search.emplace(scene.blocks).take_roots(memory, roots);
  // As of a process that was killed meanwhile.
  if (unread != 0 && scene.why_not.empty())
    scene.why_not = fmt::format("{} bytes of its memory could not be read", with_thousands(unread));
}

// Filled where it stays: the search refers to the blocks.
Result<void> take_scene(const ExitingThread& exiting, Scene& scene) {
  auto target = open_live_process(exiting.pid);
  if (!target) return tl::unexpected<Error>(std::move(target).error());
  CULPRIT_TRY((*target)->hold_still(
      [&](std::span<const TargetThread> threads) { look(**target, without_agent(threads, exiting), scene); }));
  if (!scene.why_not.empty()) return {};
  if (!scene.heap) return tl::unexpected<Error>(scene.heap.error());
  if (scene.heap->bytes_left_out() != 0)
    scene.why_not = fmt::format("{} bytes of its memory could not be copied", scene.heap->bytes_left_out());
  return {};
}

}  // namespace

UnreachableBlocks look_at_exit(const ExitingThread& exiting, const std::function<void()>& let_go) {
  UnreachableBlocks unreachable;
  Scene scene;
  const Result<void> taken = take_scene(exiting, scene);
  let_go();
  unreachable.why_not = taken ? scene.why_not : taken.error().what;
  if (!unreachable.why_not.empty()) return unreachable;
  const Reachability found = scene.search->finish(*scene.heap);
  const BlockTable& blocks = scene.blocks;
  for (const Reachability::Behind& direct : found.direct) unreachable.blocks.push_back({blocks[direct.block].address});
  for (const auto& [block, owner] : found.indirect)
    unreachable.blocks.push_back({blocks[block].address, true, blocks[owner].address});
  // One that keeps something in front of each block gives other addresses than glibc's malloc did, and what is lost
  // is not known again: of what is found each is lost, but there may be more.
  if (exiting.has_foreign_malloc)
    unreachable.why_not = "malloc is not glibc's own there, and only the blocks of that can be told apart";
  std::ranges::sort(unreachable.blocks, {}, &UnreachableBlocks::Block::address);
  return unreachable;
}

}  // namespace culprit
