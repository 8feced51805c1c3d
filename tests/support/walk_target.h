// The stacks of all threads of a target as absolute addresses, innermost first, without the help of any analysis.
#pragma once

#include <map>
#include <vector>

#include "base/mapping.h"
#include "target/target.h"
#include "unwind/unwind_table.h"
#include "unwind/unwinder.h"

namespace culprit::testing {

using Addresses = std::vector<uint64_t>;

// Of its file; of the vdso, of its image in memory.
inline UnwindTable table_of(Target& target, const TargetModule& module) {
  if (!module.opened_path.empty()) {
    auto file = Mapping::of_file(module.opened_path);
    auto table = file ? build_unwind_table(file->bytes()) : UnwindTable{};
    return table ? std::move(*table) : UnwindTable{};
  }
  std::vector<std::byte> image(module.end - module.start);
  if (!target.memory().read(module.start, image)) return {};
  auto elf = parse_elf(image, ElfLayout::image);
  return elf ? build_unwind_table(*elf) : UnwindTable{};
}

// By tid; a stack that had to end early has a 0 as its last address.
inline std::map<uint32_t, Addresses> walk_all(Target& target) {
  std::map<uint64_t, UnwindTable> tables;
  auto code_at = [&](uint64_t pc) -> std::optional<UnwindCode> {
    const TargetModule* module = target.module_at(pc);
    if (module == nullptr) return {};
    auto [place, is_new] = tables.try_emplace(module->start);
    if (is_new) place->second = table_of(target, *module);
    return UnwindCode{module->bias, place->second.rows, place->second.far};
  };
  std::map<uint32_t, Addresses> stacks;
  auto threads = target.threads(ThreadWish::registers);
  if (!threads) return stacks;
  for (const TargetThread& thread : *threads) {
    const Registers& registers = thread.registers;
    WalkedStack walked = walk_stack({registers.rip, registers.rsp, registers.rbp}, target.stack_memory(thread), code_at,
                                    {.is_in_system_call = thread.blocked_in.has_value()});
    for (const WalkedFrame& frame : walked.frames) stacks[thread.tid].push_back(frame.address);
    if (walked.is_truncated) stacks[thread.tid].push_back(0);
  }
  return stacks;
}

}  // namespace culprit::testing
