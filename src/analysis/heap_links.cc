#include "analysis/heap_links.h"

#include <fmt/format.h>

#include <algorithm>

#include "analysis/heap_walk.h"

namespace culprit {

namespace {

class LinkCheck {
 public:
  LinkCheck(const HeapLayout& layout, std::span<const FreeLinks> all, bool is_complete)
      : layout_(layout), all_(all), is_complete_(is_complete) {}

  std::optional<std::string> fault_of(const FreeLinks& links) const {
    if (!leads_back(links, links.next, &FreeLinks::previous)) return words(links, "on", links.next);
    if (leads_back(links, links.previous, &FreeLinks::next)) return {};
    // It is the other one's fault if that leads nowhere.
    const FreeLinks* other = find(links.previous);
    if (other != nullptr && !leads_back(*other, other->next, &FreeLinks::previous)) return {};
    return words(links, "back", links.previous);
  }

 private:
  const FreeLinks* find(uint64_t chunk) const {
    auto found = std::ranges::lower_bound(all_, chunk, {}, &FreeLinks::chunk);
    return found == all_.end() || found->chunk != chunk ? nullptr : &*found;
  }

  bool leads_back(const FreeLinks& from, uint64_t to, uint64_t FreeLinks::*back) const {
    const MallocState& arena = layout_.arenas[from.arena].state;
    if (to >= arena.address && to < arena.address + arena.size) return true;  // the bin; its ends are checked elsewhere
    const FreeLinks* found = find(to);
    return found == nullptr ? !is_complete_ : found->*back == from.chunk;
  }

  static std::string words(const FreeLinks& links, std::string_view direction, uint64_t to) {
    return fmt::format(
        "the free block at {:#x} leads {} in its bin to {:#x}, which does not lead to it: one of them was "
        "written to after it was freed",
        links.chunk + chunk_header, direction, to + chunk_header);
  }

  const HeapLayout& layout_;
  std::span<const FreeLinks> all_;
  const bool is_complete_;
};

// As far as it leads to free blocks.
void follow_bin(const MallocState::Bin& bin, std::span<const FreeLinks> all, std::vector<bool>& is_listed) {
  for (uint64_t chunk = bin.first; chunk != bin.head;) {
    auto found = std::ranges::lower_bound(all, chunk, {}, &FreeLinks::chunk);
    if (found == all.end() || found->chunk != chunk) return;
    const auto index = static_cast<size_t>(found - all.begin());
    if (is_listed[index]) return;
    is_listed[index] = true;
    chunk = found->next;
  }
}

}  // namespace

std::vector<HeapBreak> check_links(const HeapLayout& layout, std::span<const FreeLinks> all, bool is_complete,
                                   size_t most) {
  std::vector<HeapBreak> found;
  const LinkCheck check(layout, all, is_complete);
  for (const FreeLinks& links : all) {
    if (found.size() == most) break;
    auto fault = check.fault_of(links);
    // Where a bin begins or ends with it, it was told already.
    if (!fault || std::ranges::find(layout.breaks, links.chunk, &HeapBreak::chunk) != layout.breaks.end()) continue;
    found.push_back({.chunk = links.chunk,
                     .arena = links.arena,
                     .is_under_change = layout.arenas[links.arena].is_busy,
                     .what = std::move(*fault)});
  }
  return found;
}

std::vector<HeapBreak> find_unlisted(const HeapLayout& layout, std::span<const FreeLinks> all,
                                     std::span<const HeapBreak> breaks) {
  std::vector<bool> is_listed(all.size());
  for (const HeapArena& arena : layout.arenas)
    for (const MallocState::Bin& bin : arena.state.bins) follow_bin(bin, all, is_listed);
  std::vector<HeapBreak> found;
  for (uint32_t arena = 0; arena < layout.arenas.size(); ++arena) {
    if (layout.arenas[arena].is_busy || std::ranges::find(breaks, arena, &HeapBreak::arena) != breaks.end()) continue;
    const FreeLinks* first = nullptr;
    uint64_t count = 0;
    for (size_t i = 0; i < all.size(); ++i) {
      if (is_listed[i] || all[i].arena != arena) continue;
      if (count++ == 0) first = &all[i];
    }
    if (count == 0) continue;
    const std::string more = count == 1 ? "" : fmt::format(", and so are {} more of its arena", count - 1);
    found.push_back({.chunk = first->chunk,
                     .arena = arena,
                     .what = fmt::format("the free block at {:#x} is in no bin{}: a block of its bin was written to "
                                         "after it was freed",
                                         first->chunk + chunk_header, more)});
  }
  return found;
}

void find_neighbours(const HeapLayout& layout, MemoryReader& memory, std::span<HeapBreak> breaks) {
  std::vector<HeapBreak*> wanted;
  for (HeapBreak& each : breaks)
    if (!each.before && !each.after && layout.region_at(each.chunk) != nullptr) wanted.push_back(&each);
  if (wanted.empty()) return;
  std::ranges::stable_sort(wanted, {}, [](const HeapBreak* each) { return each->chunk; });
  size_t first = 0;
  std::optional<HeapBlock> last;
  walk_heap(layout, memory, [&](const HeapBlock& block, Bytes) {
    for (; first < wanted.size() && wanted[first]->chunk < block.chunk(); ++first) wanted[first]->after = block;
    for (size_t i = first; i < wanted.size() && wanted[i]->chunk == block.chunk(); ++i) wanted[i]->before = last;
    last = block;
    return first < wanted.size();
  });
}

}  // namespace culprit
