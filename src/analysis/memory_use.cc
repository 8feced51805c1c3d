#include "analysis/memory_use.h"

#include <algorithm>
#include <array>

namespace culprit {

namespace {

constexpr size_t most_anonymous = 5;

struct HeapPiece {
  AddressRange range;
  MemoryKind kind;
};

// Ascending, apart from each other.
std::vector<HeapPiece> heap_pieces(const HeapLayout* layout) {
  std::vector<HeapPiece> pieces;
  if (layout == nullptr) return pieces;
  for (const HeapRegion& region : layout->regions)
    pieces.push_back({{region.base, region.reserved_end}, MemoryKind::arenas});
  for (const MmappedChunk& chunk : layout->mmapped)
    pieces.push_back({{chunk.mapping_start, chunk.mapping_start + chunk.mapped_bytes()}, MemoryKind::own_blocks});
  std::ranges::sort(pieces, {}, [](const HeapPiece& piece) { return piece.range.start; });
  return pieces;
}

class MemoryCounter {
 public:
  MemoryCounter(Target& target, const HeapLayout* layout, std::span<const TargetThread> threads)
      : target_(target), threads_(threads), pieces_(heap_pieces(layout)) {}

  MemoryReport count() {
    for (const TargetMapping& mapping : target_.mappings()) add(mapping);
    MemoryReport report;
    for (size_t i = 0; i < uses_.size(); ++i) {
      uses_[i].kind = static_cast<MemoryKind>(i);
      if (uses_[i].bytes != 0) report.uses.push_back(uses_[i]);
    }
    auto weight = [](const auto& use) { return use.resident.value_or(use.bytes); };
    std::ranges::stable_sort(report.uses, std::greater(), weight);
    std::ranges::stable_sort(anonymous_, std::greater(), weight);
    if (anonymous_.size() > most_anonymous) anonymous_.resize(most_anonymous);
    report.anonymous = std::move(anonymous_);
    return report;
  }

 private:
  MemoryKind kind_of(const TargetMapping& mapping) const {
    if (mapping.path == "[stack]" || holds_stack(mapping)) return MemoryKind::stacks;
    if (mapping.path.starts_with("/dev/shm/") || mapping.path.starts_with("/memfd:") ||
        mapping.path.starts_with("/SYSV") || (mapping.path.empty() && mapping.is_shared) || mapping.path == "/dev/zero")
      return MemoryKind::shared;
    if (mapping.path.starts_with('/'))
      return target_.module_at(mapping.start) != nullptr ? MemoryKind::code : MemoryKind::files;
    const bool is_variables = mapping.path.empty() && target_.module_at(mapping.start) != nullptr;
    if (is_variables) return MemoryKind::code;
    return mapping.path.empty() || mapping.path == "[heap]" || mapping.path.starts_with("[anon") ? MemoryKind::anonymous
                                                                                                 : MemoryKind::other;
  }
  bool holds_stack(const TargetMapping& mapping) const {
    return std::ranges::any_of(threads_, [&](const TargetThread& thread) {
      const uint64_t sp = thread.registers.rsp;
      return thread.known != RegistersKnown::none && mapping.start <= sp && sp < mapping.end;
    });
  }
  void add(const TargetMapping& mapping) {
    if (mapping.path == "[vsyscall]") return;  // the same page of the kernel for all
    // What may not be touched is room that is kept, and no memory.
    if (!mapping.is_readable && !mapping.is_writable && !mapping.is_executable) return;
    uint64_t at = mapping.start;
    auto piece = std::ranges::upper_bound(pieces_, at, {}, [](const HeapPiece& each) { return each.range.end; });
    for (; piece != pieces_.end() && piece->range.start < mapping.end; ++piece) {
      add({at, std::max(at, piece->range.start)}, kind_of(mapping));
      const uint64_t end = std::min(piece->range.end, mapping.end);
      add({std::max(at, piece->range.start), end}, piece->kind);
      at = end;
    }
    add({at, mapping.end}, kind_of(mapping));
  }
  void add(AddressRange range, MemoryKind kind) {
    if (range.start >= range.end) return;
    MemoryUse& use = uses_[static_cast<size_t>(kind)];
    const auto resident = target_.present_pages(range).resident;
    if (use.mappings++ == 0)
      use.resident = resident;
    else
      use.resident = use.resident && resident ? std::optional(*use.resident + *resident) : std::nullopt;
    use.bytes += range.end - range.start;
    if (kind == MemoryKind::anonymous) anonymous_.push_back({range.start, range.end - range.start, resident});
  }

  Target& target_;
  std::span<const TargetThread> threads_;
  std::vector<HeapPiece> pieces_;
  std::array<MemoryUse, memory_kind_count> uses_{};
  std::vector<AnonymousMapping> anonymous_;
};

}  // namespace

MemoryReport examine_memory(Target& target, const HeapLayout* layout, std::span<const TargetThread> threads) {
  return MemoryCounter(target, layout, threads).count();
}

}  // namespace culprit
