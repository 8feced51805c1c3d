#include "analysis/target_stacks.h"

#include <algorithm>

#include "analysis/blame.h"
#include "analysis/target_names.h"
#include "base/mapping.h"
#include "target/elf_copy.h"

namespace culprit {
namespace {

constexpr uint64_t image_limit = uint64_t{1} << 30;

// A return address may lie just behind the code of a call that never returns.
uint64_t address_inside(const WalkedFrame& frame) {
  return frame.found_by == FoundBy::registers || frame.address == 0 ? frame.address : frame.address - 1;
}

const TargetMapping* mapping_at(const std::vector<TargetMapping>& mappings, uint64_t address) {
  auto after = std::ranges::upper_bound(mappings, address, {}, &TargetMapping::start);
  if (after == mappings.begin()) return nullptr;
  const TargetMapping& mapping = *std::prev(after);
  return address < mapping.end ? &mapping : nullptr;
}

template <typename Value>
std::optional<Value> value_of(Result<Value> result) {
  return result ? std::optional(std::move(*result)) : std::nullopt;
}

// Of the vdso all is in memory; of a module whose file is not to be had, too, if the process lives or its core was made
// with everything (coredump_filter).
std::optional<UnwindTable> build_from_memory(Target& target, const TargetModule& module) {
  std::byte probe{};
  uint64_t size = module.end - module.start;
  if (size == 0 || size > image_limit || !target.memory().read(module.end - 1, std::span(&probe, 1))) return {};
  std::vector<std::byte> image(size);
  if (!target.memory().read(module.start, image)) return {};
  auto elf = parse_elf(image, ElfLayout::image);
  if (!elf) return {};
  return build_unwind_table(*elf);
}

std::optional<UnwindTable> build_table(Target& target, const TargetModule& module) {
  if (module.opened_path.empty()) return build_from_memory(target, module);
  auto copy = copy_elf(module.opened_path, ElfParts::unwind);
  if (!copy) return {};
  return value_of(build_unwind_table(copy->bytes()));
}

}  // namespace

size_t TargetStacks::Hash::operator()(const Place& place) const {
  return place.offset * 0x9e3779b97f4a7c15 ^ reinterpret_cast<uintptr_t>(place.module);
}

const std::optional<UnwindTable>& TargetStacks::table_of(const TargetModule& module) {
  auto [place, is_new] = tables_.try_emplace(&module);
  if (is_new) place->second = build_table(target_, module);
  return place->second;
}

std::optional<UnwindCode> TargetStacks::code_at(uint64_t pc) {
  const TargetMapping* mapping = mapping_at(target_.mappings(), pc);
  if (mapping == nullptr || !mapping->is_executable) return {};
  const TargetModule* module = target_.module_at(pc);
  if (module == nullptr) return UnwindCode{};
  const auto& table = table_of(*module);
  if (!table) return {};  // no more is known than that it is code
  return UnwindCode{module->bias, table->rows, table->far};
}

WalkedStack TargetStacks::walk(const TargetThread& thread, size_t limit) {
  if (thread.known == RegistersKnown::none) return {};
  const Registers& registers = thread.registers;
  CodeLookup code = [this](uint64_t pc) { return code_at(pc); };
  return walk_stack({registers.rip, registers.rsp, registers.rbp, thread.known == RegistersKnown::all},
                    target_.stack_memory(thread), code,
                    {.limit = limit, .is_in_system_call = thread.blocked_in.has_value()});
}

std::vector<WalkedStack> TargetStacks::walk_all(std::span<TargetThread> threads) {
  std::vector<WalkedStack> stacks;
  std::vector<TargetThread*> incomplete;
  for (TargetThread& thread : threads) {
    stacks.push_back(walk(thread));
    // It may also have moved on while its outer frames were read.
    if (stacks.back().is_truncated && thread.known == RegistersKnown::stack_only) incomplete.push_back(&thread);
  }
  if (incomplete.empty()) return stacks;
  target_.complete(incomplete);
  for (const TargetThread* thread : incomplete)
    if (thread->known == RegistersKnown::all) stacks[static_cast<size_t>(thread - threads.data())] = walk(*thread);
  return stacks;
}

const Module& TargetStacks::looked_up_as(const TargetModule& module) {
  auto known = modules_.find(&module);
  if (known == modules_.end()) known = modules_.emplace(&module, openable(module)).first;
  return known->second;
}

TargetStacks::Place TargetStacks::place_of(const WalkedFrame& frame) {
  const TargetModule* module = target_.module_at(address_inside(frame));
  return {module, frame.address - (module != nullptr ? module->bias : 0), frame.found_by};
}

void TargetStacks::look_up(std::span<const WalkedStack> stacks) {
  if (!lookup_) return;
  std::vector<Place> wanted;
  std::vector<SymbolRequest> requests;
  for (const WalkedStack& stack : stacks) {
    for (const WalkedFrame& frame : stack.frames) {
      Place place = place_of(frame);
      if (place.module == nullptr || !known_.try_emplace(place).second) continue;
      wanted.push_back(place);
      requests.push_back({&looked_up_as(*place.module), place.offset, place.found_by != FoundBy::registers});
    }
  }
  if (requests.empty()) return;
  std::vector<SymbolizedFrame> answers = lookup_(requests);
  for (size_t i = 0; i < wanted.size() && i < answers.size(); ++i) known_[wanted[i]] = std::move(answers[i]);
}

std::vector<ReportFrame> TargetStacks::report_frames(const Place& place) const {
  ReportFrame blank;
  if (place.module != nullptr) blank.module = place.module->module.path;
  blank.offset = place.offset;
  blank.found_by = place.found_by;
  blank.own = is_own_module(blank.module);
  auto found = known_.find(place);
  return found == known_.end() ? std::vector{blank} : named_frames(blank, found->second);
}

ReportStack TargetStacks::place(uint64_t address) {
  WalkedStack stack;
  stack.frames.push_back({address, FoundBy::registers});
  return report(std::span(&stack, 1)).front();
}

std::vector<ReportStack> TargetStacks::report(std::span<const WalkedStack> stacks) {
  look_up(stacks);
  std::vector<ReportStack> reports;
  for (const WalkedStack& stack : stacks) {
    ReportStack& report = reports.emplace_back();
    report.truncated = stack.is_truncated;
    for (const WalkedFrame& frame : stack.frames)
      for (ReportFrame& named : report_frames(place_of(frame))) report.frames.push_back(std::move(named));
    assign_blame(blame_rules(), report);
  }
  return reports;
}

}  // namespace culprit
