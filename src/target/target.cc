#include "target/target.h"

#include <algorithm>

namespace culprit {

Result<std::vector<TargetThread>> Target::some_threads(ThreadWish wish, std::span<const uint32_t> tids) {
  auto all = threads(wish);
  if (all) std::erase_if(*all, [&](const TargetThread& thread) { return std::ranges::count(tids, thread.tid) == 0; });
  return all;
}

Result<void> Target::hold_still(const LookAtThreads& look) {
  auto all = threads(ThreadWish::registers);
  if (!all) return tl::unexpected<Error>(std::move(all).error());
  look(*all);
  return {};
}

const TargetModule* Target::module_at(uint64_t address) {
  const std::vector<TargetModule>& known = modules();
  auto after = std::ranges::upper_bound(known, address, {}, &TargetModule::start);
  if (after == known.begin()) return nullptr;
  const TargetModule& module = *std::prev(after);
  return address < module.end ? &module : nullptr;
}

}  // namespace culprit
