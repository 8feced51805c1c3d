#include "analysis/heap_leaks.h"

#include <algorithm>
#include <map>

#include "analysis/heap_collector.h"
#include "analysis/pointer_scan.h"
#include "analysis/reachability.h"
#include "model/clock.h"

namespace culprit {

namespace {

constexpr size_t most_examples = 64;  // for which old pointers are looked for

class LeakFinder {
 public:
  LeakFinder(const LeakScene& scene, HeapTypes& types) : scene_(scene), types_(types), hints_(scene.target.modules()) {}

  UnreachableReport run(size_t most_groups) {
    const Time begin = monotonic_now();
    report_.roots_bytes = scene_.roots.bytes();
    const Reachability found = find_unreachable(scene_.memory, scene_.blocks, scene_.roots);
    count(found);
    sort(most_groups);
    find_stale_pointers();
    report_.seconds = static_cast<double>(monotonic_now() - begin) / 1e9;
    return std::move(report_);
  }

 private:
  struct Key {
    bool is_indirect = false;
    std::string type;
    uint64_t size = 0;
    auto operator<=>(const Key&) const = default;
  };

  std::string type_of(const BlockTable::Block& block) {
    std::byte first[16];
    if (block.size < sizeof first || !scene_.memory.read(block.address, first)) return {};
    const TypeHint hint = hints_.hint_of(first, block.size);
    if (hint.table == 0) return {};
    const std::string& name = types_.name_of(hint.table);
    return name.empty() || !hint.is_array ? name : name + "[]";
  }

  LeakGroup& group_of(const BlockTable::Block& block, bool is_direct) {
    const std::string type = type_of(block);
    const uint64_t size = type.empty() ? block.size : 0;
    LeakGroup& leak = groups_[{!is_direct, type, size}];
    if (leak.group.count.blocks == 0) {
      leak.is_direct = is_direct;
      leak.group.type = type;
      leak.group.example = block.address;
      if (type.empty()) leak.group.size = size;
    }
    leak.group.count.add(block.size);
    return leak;
  }

  void count(const Reachability& found) {
    auto behind = found.direct.begin();
    for (uint32_t i = 0; i < scene_.blocks.size(); ++i) {
      const BlockTable::Block& block = scene_.blocks[i];
      if (found.reach[i] == Reach::reachable) {
        report_.reachable.add(block.size);
        continue;
      }
      const bool is_direct = found.reach[i] == Reach::direct;
      (is_direct ? report_.direct : report_.indirect).add(block.size);
      LeakGroup& leak = group_of(block, is_direct);
      if (!is_direct) continue;
      leak.behind.add({behind->blocks, behind->bytes});
      ++behind;
    }
  }

  void sort(size_t most_groups) {
    for (auto& [key, leak] : groups_) report_.groups.push_back(std::move(leak));
    auto weight = [](const LeakGroup& leak) {
      return std::pair(!leak.is_direct, UINT64_MAX - leak.group.count.bytes - leak.behind.bytes);
    };
    std::ranges::stable_sort(report_.groups, {}, weight);
    if (report_.groups.size() <= most_groups) return;
    report_.groups_left_out = report_.groups.size() - most_groups;
    report_.groups.resize(most_groups);
  }

  // Where freed blocks and dead stacks still have pointers to the examples.
  void find_stale_pointers() {
    BlockTable examples;
    std::map<uint64_t, LeakGroup*> groups;
    for (LeakGroup& leak : report_.groups) {
      if (groups.size() == most_examples) break;
      const uint32_t block = scene_.blocks.holding(leak.group.example);
      examples.add(scene_.blocks[block].address, scene_.blocks[block].size);
      groups[leak.group.example] = &leak;
    }
    if (groups.empty()) return;
    examples.finish();
    MemoryWindow window(scene_.memory);
    auto look_in = [&](AddressRange range, StalePointer what) {
      scan_words(window, range, [&](uint64_t at, uint64_t value) {
        const uint32_t example = examples.holding(value);
        if (example == BlockTable::none) return;
        auto& stale = groups[examples[example].address]->stale;
        what.at = at;
        if (!stale) stale = what;
      });
    };
    for (const DeadMemory& dead : scene_.roots.dead) look_in(dead.range, {.tid = dead.tid});
    for (uint32_t i = 0; i < scene_.free_blocks.size(); ++i) {
      const BlockTable::Block& block = scene_.free_blocks[i];
      look_in({block.address, block.end()}, {.freed = block.address, .freed_size = block.size});
    }
  }

  const LeakScene& scene_;
  HeapTypes& types_;
  TypeHints hints_;
  std::map<Key, LeakGroup> groups_;
  UnreachableReport report_;
};

}  // namespace

UnreachableReport find_leaks(const LeakScene& scene, HeapTypes& types, size_t most_groups) {
  return LeakFinder(scene, types).run(most_groups);
}

}  // namespace culprit
