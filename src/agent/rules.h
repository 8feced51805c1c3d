// The unwind rule for a program counter, from the tables the collector publishes, through an exact cache.
#pragma once

#include "agent/process.h"

namespace culprit::agent {

// cfa << 16 | rbp of a struct culprit_unwind_row; 0 is never a rule.
using Rule = uint32_t;
inline constexpr Rule no_rule = 0xffffffff;

struct RuleEntry {
  uint64_t word;  // rule << 32 | tag; 0: empty
};
inline constexpr uint32_t rule_cache_bits = 15;
extern RuleEntry rule_cache[1u << rule_cache_bits];

// The table's answer; asks the collector for a module it has not published yet (unless `may_ask` is false).
Rule find_rule_slowly(uint64_t pc, bool may_ask);

// For CULPRIT_ROW_FAR rows: the CFA's distance from rsp in bytes; 0: none.
uint64_t far_distance(uint64_t pc, uint32_t index);

// After code was unmapped.
void forget_rules();

// `pc` is the address to look up: inside the instruction meant, i.e. return address - 1.
inline Rule find_rule(uint64_t pc) {
  // Multiplying by an odd number permutes the 47-bit addresses: index and tag together are the address, so a hit is
  // exact.
  uint64_t permuted = (pc * 0x9e3779b97f4a7c15ull) & ((uint64_t{1} << 47) - 1);
  uint64_t word = __atomic_load_n(&rule_cache[permuted >> 32].word, __ATOMIC_RELAXED);
  if (__builtin_expect(static_cast<uint32_t>(word) == static_cast<uint32_t>(permuted) && (word >> 32) != 0, 1))
    return static_cast<Rule>(word >> 32);
  return find_rule_slowly(pc, true);
}

}  // namespace culprit::agent
