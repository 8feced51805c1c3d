#include "analysis/missing_modules.h"

#include <algorithm>
#include <map>
#include <set>

namespace culprit {

std::vector<MissingModule> missing_modules(Target& target, std::span<const WalkedStack> stacks) {
  std::map<uint64_t, MissingModule> missing;  // by start
  for (const TargetModule& module : target.modules())
    if (!module.missing.empty())
      missing.insert({module.start, {.module = module.module, .start = module.start, .why = module.missing}});
  if (missing.empty()) return {};
  for (const WalkedStack& stack : stacks) {
    std::set<MissingModule*> through;
    for (const WalkedFrame& frame : stack.frames) {
      const TargetModule* module = target.module_at(frame.address);
      auto found = module == nullptr ? missing.end() : missing.find(module->start);
      if (found != missing.end()) through.insert(&found->second);
    }
    for (MissingModule* module : through) ++module->stacks;
  }
  std::vector<MissingModule> all;
  for (auto& [start, module] : missing) all.push_back(std::move(module));
  std::ranges::stable_sort(all, std::ranges::greater{}, &MissingModule::stacks);
  return all;
}

}  // namespace culprit
