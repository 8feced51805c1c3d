#include "target/target.h"

#include <algorithm>

namespace culprit {

const TargetModule* Target::module_at(uint64_t address) {
  const std::vector<TargetModule>& known = modules();
  auto after = std::ranges::upper_bound(known, address, {}, &TargetModule::start);
  if (after == known.begin()) return nullptr;
  const TargetModule& module = *std::prev(after);
  return address < module.end ? &module : nullptr;
}

}  // namespace culprit
