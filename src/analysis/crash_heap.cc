#include "analysis/crash_heap.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <csignal>

#include "base/text.h"

namespace culprit {
namespace {

constexpr size_t most_breaks = 8, most_stack_words = 64, most_block_bytes = 512;
constexpr uint64_t least_pointer = 256;    // smaller numbers are nobody's pointer
constexpr uint64_t largest_offset = 4096;  // of a member that was added to a pointer

// A pointer that the faulting function had at hand, and the block it leads to.
struct Candidate {
  uint64_t pointer = 0;
  std::string where;  // "rdi", "the stack"
};

bool rests_on_pointer(CrashCause cause) {
  // Of a program with low addresses, what malloc keeps in a freed block may be a low number.
  return cause == CrashCause::null_read || cause == CrashCause::null_write || cause == CrashCause::null_access ||
         cause == CrashCause::wild_read || cause == CrashCause::wild_write || cause == CrashCause::wild_access ||
         cause == CrashCause::non_canonical || cause == CrashCause::bad_jump || cause == CrashCause::data_execution;
}

bool is_heap_damage(const CrashScene& scene, CrashCause cause) {
  if (cause == CrashCause::double_free || cause == CrashCause::invalid_free || cause == CrashCause::heap_corruption)
    return true;
  bool is_fault = scene.info().signal == SIGSEGV;
  for (std::string_view glob : {"_int_*", "malloc_consolidate", "unlink_chunk*", "tcache_*", "malloc", "free"})
    if (is_fault && library_frame(scene.stack, glob)) return true;
  return false;
}

// What was used as an address: the base register of the operand, else the address itself.
uint64_t used_pointer(const CrashScene& scene) {
  const MemoryOperand* operand = scene.failed_operand();
  if (operand != nullptr && operand->base && *operand->base != machine_rsp)
    return value_of(scene.registers(), *operand->base);
  return scene.address.value_or(0);
}

std::vector<Candidate> candidates_of(CrashScene& scene) {
  std::vector<Candidate> found;
  for (uint8_t reg = 0; reg < 16; ++reg)
    if (reg != machine_rsp) found.push_back({value_of(scene.registers(), reg), std::string(register_name(reg))});
  uint64_t sp = scene.registers().rsp;
  for (size_t i = 0; i < most_stack_words; ++i)
    if (auto word = scene.target.stack_memory(scene.thread).word(sp + 8 * i)) found.push_back({*word, "the stack"});
  std::ranges::stable_sort(found, {}, &Candidate::pointer);
  return found;
}

std::string_view freed_words(HeapBlockState state) {
  return state == HeapBlockState::cached ? "kept by a thread for itself" : "in a list of free blocks";
}

class FreedBlockSearch {
 public:
  FreedBlockSearch(CrashScene& scene, const HeapLayout& layout) : scene_(scene), layout_(layout) {}

  // The freed block that what was used as a pointer was read from.
  bool find(CrashVerdict& verdict) {
    used_ = used_pointer(scene_);
    std::vector<Candidate> candidates = candidates_of(scene_);
    // Walking a heap reads all of it: only where what was used as a pointer does lie near.
    std::erase_if(candidates, [&](const Candidate& each) {
      return layout_.region_at(each.pointer) == nullptr || !has_used_near(each.pointer);
    });
    for (const HeapRegion& region : layout_.regions) {
      auto from = std::ranges::lower_bound(candidates, region.start, {}, &Candidate::pointer);
      auto to = std::ranges::lower_bound(candidates, region.end, {}, &Candidate::pointer);
      if (from == to) continue;
      walk_region(layout_, region, scene_.target.memory(), [&](const HeapBlock& block, Bytes) {
        while (from != to && from->pointer < block.address) ++from;
        for (; from != to && from->pointer - block.address < block.size; ++from)
          if (is_it(block, *from, verdict)) return false;
        return from != to;
      });
      if (verdict.cause == CrashCause::use_after_free) return true;
    }
    return false;
  }

 private:
  bool was_used(uint64_t word) const { return word >= least_pointer && used_ - word < largest_offset; }

  bool has_used_near(uint64_t pointer) {
    uint64_t from = (pointer & ~uint64_t{7}) - std::min<uint64_t>(pointer & ~uint64_t{7}, most_block_bytes);
    for (uint64_t at = from; at < pointer + most_block_bytes; at += 8)
      if (auto word = scene_.target.memory().word(at); word && was_used(*word)) return true;
    return false;
  }

  bool is_it(const HeapBlock& block, const Candidate& candidate, CrashVerdict& verdict) {
    if (block.is_in_use() || block.state == HeapBlockState::top || used_ < least_pointer) return false;
    for (uint64_t offset = 0; offset + 8 <= std::min<uint64_t>(block.size, most_block_bytes); offset += 8) {
      auto word = scene_.target.memory().word(block.address + offset);
      if (!word || !was_used(*word)) continue;
      verdict.cause = CrashCause::use_after_free;
      verdict.confidence = Confidence::likely;
      verdict.what = fmt::format("Used a freed block of {} on the heap", bytes_in_words(block.size));
      verdict.evidence.push_back(fmt::format(
          "{} points to a freed block at {:#x} ({}); its word at offset {} is {:#x}, which was used as a pointer",
          candidate.where, block.address, freed_words(block.state), offset, *word));
      return true;
    }
    return false;
  }

  CrashScene& scene_;
  const HeapLayout& layout_;
  uint64_t used_ = 0;
};

std::string content_words(MemoryReader& memory, const HeapBlock& block) {
  std::array<char, 16> bytes{};
  size_t size = std::min<uint64_t>(block.size, bytes.size());
  if (!memory.read(block.address, std::as_writable_bytes(std::span(bytes)).first(size))) return "";
  size_t length = 0;
  while (length < size && bytes[length] >= ' ' && bytes[length] <= '~') ++length;
  constexpr size_t fewest = 4;
  return length < fewest ? "" : fmt::format(", which begins with \"{}\"", std::string_view(bytes.data(), length));
}

void tell_damage(CrashScene& scene, const CrashHeap& heap, CrashVerdict& verdict) {
  if (heap.breaks.empty()) return;
  const HeapBreak& first = heap.breaks.front();
  verdict.evidence.push_back(fmt::format("the heap is damaged at {:#x}: {}", first.chunk, first.what));
  if (!first.before || !first.before->is_in_use() || first.is_under_change) return;
  const HeapBlock& block = *first.before;
  if (first.chunk != block.chunk() + block.chunk_size) return;
  verdict.cause = CrashCause::heap_overrun;
  verdict.confidence = Confidence::likely;
  verdict.what = fmt::format("A block of {} on the heap was written beyond its end, which was noticed later",
                             bytes_in_words(block.size));
  verdict.evidence.push_back(fmt::format("before the damage lies a block of {} bytes in use, at {:#x}{}", block.size,
                                         block.address, content_words(scene.target.memory(), block)));
}

}  // namespace

CrashHeap look_at_heap(CrashScene& scene, std::span<const TargetThread> threads, CrashVerdict& verdict) {
  CrashHeap heap;
  bool is_damage = is_heap_damage(scene, verdict.cause);
  if (!is_damage && !rests_on_pointer(verdict.cause)) return heap;
  auto layout = find_heap(scene.target, threads);
  if (!layout) return heap;
  if (!is_damage) {
    FreedBlockSearch(scene, *layout).find(verdict);
    return heap;
  }
  HeapWalkResult walked = walk_heap(*layout, scene.target.memory(), [](const HeapBlock&, Bytes) { return true; });
  heap.breaks = std::move(walked.breaks);
  heap.breaks.insert(heap.breaks.end(), layout->breaks.begin(), layout->breaks.end());
  heap.breaks_left_out =
      walked.breaks_left_out + (heap.breaks.size() > most_breaks ? heap.breaks.size() - most_breaks : 0);
  if (heap.breaks.size() > most_breaks) heap.breaks.resize(most_breaks);
  tell_damage(scene, heap, verdict);
  return heap;
}

}  // namespace culprit
