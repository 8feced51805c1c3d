#include "analysis/heap_roots.h"

#include <algorithm>
#include <array>
#include <ranges>

#include "analysis/memory_snapshot.h"

namespace culprit {

namespace {

constexpr uint64_t page = 4096;
constexpr uint64_t red_zone = 128;                // below the stack pointer, of leaf functions (x86-64 ABI, 3.2.2)
constexpr uint64_t control_block_search = 16384;  // at the end of a stack that libpthread made
constexpr uint64_t control_block_alignment = 64;

class RootFinder {
 public:
  RootFinder(Target& target, MemoryReader& memory, const HeapLayout& layout, std::span<const TargetThread> threads)
      : target_(target), memory_(memory), heap_(heap_ranges(layout)), threads_(threads) {
    for (const Loss& loss : target.info().losses) knows_all_threads_ &= loss.kind != LossKind::threads_missing;
    for (const TargetThread& thread : threads) knows_all_threads_ &= thread.known == RegistersKnown::all;
  }

  HeapRoots find() {
    for (const TargetMapping& mapping : target_.mappings())
      if (may_hold_pointers(target_, mapping)) add(mapping);
    for (const TargetThread& thread : threads_) add_registers(thread);
    return std::move(roots_);
  }

 private:
  void add(const TargetMapping& mapping) {
    if (const uint64_t control = control_block_of_the_dead(mapping); control != 0) {
      roots_.dead.push_back({{mapping.start, control}, 0});
      return add_without_heap({control, mapping.end});
    }
    const uint64_t live_from = start_of_live_stack(mapping);
    add_without_heap({live_from, mapping.end});
  }

  void add_without_heap(AddressRange range) {
    auto heap = std::ranges::upper_bound(heap_, range.start, {}, &AddressRange::end);
    for (; heap != heap_.end() && heap->start < range.end; ++heap) {
      if (range.start < heap->start) roots_.ranges.push_back({range.start, heap->start});
      range.start = std::min(heap->end, range.end);
    }
    if (range.start < range.end) roots_.ranges.push_back(range);
  }

  // Of a mapping that is the stack of just one thread: what is below its stack pointer is dead.
  uint64_t start_of_live_stack(const TargetMapping& mapping) {
    const TargetThread* owner = nullptr;
    for (const TargetThread& thread : threads_) {
      const uint64_t sp = thread.registers.rsp;
      if (thread.known == RegistersKnown::none || sp < mapping.start || sp >= mapping.end) continue;
      if (owner != nullptr) return mapping.start;
      owner = &thread;
    }
    if (owner == nullptr) return mapping.start;
    const Registers& registers = owner->registers;
    const bool is_made_by_libpthread = registers.fs_base > registers.rsp && registers.fs_base < mapping.end;
    if (mapping.path != "[stack]" && !is_made_by_libpthread) return mapping.start;
    const uint64_t from = std::max(mapping.start, registers.rsp - std::min(registers.rsp, red_zone));
    roots_.dead.push_back({{mapping.start, from}, owner->tid});
    return from;
  }

  // libpthread keeps the stacks of threads that have ended for later ones; at their end still lies the control block,
  // which begins with its own address, and keeps what is for the next thread. 0: it is no such stack.
  uint64_t control_block_of_the_dead(const TargetMapping& mapping) {
    if (!knows_all_threads_ || !mapping.path.empty() || mapping.is_shared) return 0;
    const uint64_t least = std::max(mapping.start, mapping.end - std::min(mapping.end, control_block_search));
    const uint64_t at = last_control_block(target_.present_pages({least, mapping.end}).ranges);
    const bool lives = std::ranges::any_of(threads_, [&](const TargetThread& thread) {
      return thread.registers.fs_base == at ||
             (thread.registers.rsp >= mapping.start && thread.registers.rsp < mapping.end);
    });
    return lives ? 0 : at;
  }
  // 0: there is none.
  uint64_t last_control_block(std::span<const AddressRange> ranges) {
    std::array<uint64_t, page / 8> words;
    for (const AddressRange& range : std::views::reverse(ranges)) {
      for (uint64_t start = range.end - page; start >= range.start; start -= page) {
        if (!memory_.read(start, std::as_writable_bytes(std::span(words)))) continue;
        constexpr size_t step = control_block_alignment / 8;
        for (size_t i = words.size() - step;; i -= step) {
          const uint64_t at = start + i * 8;
          if (words[i] == at && words[i + 2] == at) return at;
          if (i == 0) break;
        }
      }
    }
    return 0;
  }

  void add_registers(const TargetThread& thread) {
    if (thread.known != RegistersKnown::all) return;
    for (const auto& [name, place] : pointer_registers) roots_.registers.push_back(thread.registers.*place);
    roots_.registers.insert(roots_.registers.end(), thread.wide_registers.begin(), thread.wide_registers.end());
  }

  Target& target_;
  MemoryReader& memory_;
  // What malloc has of its own keeps nothing alive, and its addresses of chunks look like pointers to the ends of the
  // blocks before them.
  const std::vector<AddressRange> heap_;
  std::span<const TargetThread> threads_;
  bool knows_all_threads_ = true;
  HeapRoots roots_;
};

}  // namespace

std::vector<AddressRange> heap_ranges(const HeapLayout& layout) {
  std::vector<AddressRange> ranges;
  const MallocState& main = layout.arenas.front().state;
  ranges.push_back({main.address, main.address + main.size});  // the others lie in their regions
  for (const HeapRegion& region : layout.regions) ranges.push_back({region.base, region.end});
  for (const MmappedChunk& chunk : layout.mmapped)
    ranges.push_back({chunk.mapping_start, chunk.mapping_start + chunk.mapped_bytes()});
  std::ranges::sort(ranges, {}, &AddressRange::start);
  return ranges;
}

uint64_t HeapRoots::bytes() const {
  uint64_t bytes = 0;
  for (const AddressRange& range : ranges) bytes += range.end - range.start;
  return bytes;
}

HeapRoots find_heap_roots(Target& target, MemoryReader& memory, const HeapLayout& layout,
                          std::span<const TargetThread> threads) {
  return RootFinder(target, memory, layout, threads).find();
}

}  // namespace culprit
