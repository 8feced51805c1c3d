// Where pointers to blocks may lie that keep them alive: variables, stacks, registers, thread-local variables, and
// whatever else may be written and is no heap.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "analysis/heap_layout.h"
#include "target/target.h"

namespace culprit {

// Memory whose pointers keep nothing alive: what is below a stack pointer, stacks of threads that have ended.
struct DeadMemory {
  AddressRange range;
  uint32_t tid = 0;  // whose stack; 0: of one that has ended
};

// Those general registers in which a pointer may be.
inline constexpr std::pair<std::string_view, uint64_t Registers::*> pointer_registers[] = {
    {"rax", &Registers::rax},   {"rbx", &Registers::rbx}, {"rcx", &Registers::rcx}, {"rdx", &Registers::rdx},
    {"rsi", &Registers::rsi},   {"rdi", &Registers::rdi}, {"rbp", &Registers::rbp}, {"r8", &Registers::r8},
    {"r9", &Registers::r9},     {"r10", &Registers::r10}, {"r11", &Registers::r11}, {"r12", &Registers::r12},
    {"r13", &Registers::r13},   {"r14", &Registers::r14}, {"r15", &Registers::r15}, {"fs", &Registers::fs_base},
    {"gs", &Registers::gs_base}};

struct HeapRoots {
  std::vector<AddressRange> ranges;  // ascending, apart from each other
  std::vector<uint64_t> registers;   // of all threads, vector registers in words
  std::vector<DeadMemory> dead;
  uint64_t bytes() const;
};

// Where malloc keeps its blocks and what it has of its own. Ascending, apart from each other.
std::vector<AddressRange> heap_ranges(const HeapLayout& layout);

// At the moment at which `layout` and `threads` were taken. `memory`: of that moment.
HeapRoots find_heap_roots(Target& target, MemoryReader& memory, const HeapLayout& layout,
                          std::span<const TargetThread> threads);

}  // namespace culprit
