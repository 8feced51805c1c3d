#include "agent/rules.h"

#include "agent/memory.h"
#include "agent/raw_syscall.h"
#include "agent/thread.h"

namespace culprit::agent {

RuleEntry rule_cache[1u << rule_cache_bits];

namespace {

// A copy of the range that holds `pc`. The collector may be rewriting the list: bounded retries.
bool find_range(uint64_t pc, culprit_range& found) {
  const culprit_process& record = *process.record;
  for (int attempt = 0; attempt < 1000; ++attempt) {
    uint32_t sequence = __atomic_load_n(&record.ranges_sequence, __ATOMIC_ACQUIRE);
    if ((sequence & 1) != 0) {
      __builtin_ia32_pause();
      continue;
    }
    uint32_t low = 0;
    uint32_t high = record.range_count;
    if (high > CULPRIT_RANGE_COUNT) high = CULPRIT_RANGE_COUNT;
    while (low < high) {
      uint32_t middle = (low + high) / 2;
      if (record.ranges[middle].end <= pc)
        low = middle + 1;
      else
        high = middle;
    }
    bool inside = low < CULPRIT_RANGE_COUNT && low < record.range_count && record.ranges[low].start <= pc;
    if (inside) found = record.ranges[low];
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    if (__atomic_load_n(&record.ranges_sequence, __ATOMIC_RELAXED) == sequence) return inside && pc < found.end;
  }
  return false;
}

// Offsets come from shared memory, which other processes of the session can write, too.
template <typename T>
const T* table_at(uint64_t offset, uint64_t count) {
  uint64_t size = process.tables_end;
  if (offset == 0 || offset > size || count > (size - offset) / sizeof(T)) return nullptr;
  return reinterpret_cast<const T*>(process.base + offset);
}

Rule rule_in(const culprit_range& range, uint64_t pc) {
  auto* rows = table_at<culprit_unwind_row>(range.rows, range.row_count);
  uint64_t address = pc - range.bias;
  if (rows == nullptr || address > UINT32_MAX) return no_rule;
  uint32_t low = 0;
  uint32_t high = range.row_count;
  while (low < high) {
    uint32_t middle = (low + high) / 2;
    if (rows[middle].pc <= address)
      low = middle + 1;
    else
      high = middle;
  }
  if (low == 0 || CULPRIT_ROW_KIND(rows[low - 1]) == CULPRIT_ROW_NONE) return no_rule;
  return static_cast<Rule>(rows[low - 1].cfa) << 16 | static_cast<uint16_t>(rows[low - 1].rbp);
}

}  // namespace

Rule find_rule_slowly(uint64_t pc, bool may_ask) {
  if (process.record == nullptr || pc < 4096 || pc >= uint64_t{1} << 47) return no_rule;
  culprit_range range{};
  bool known = find_range(pc, range);
  if (!known && may_ask) {
    if (!request(CULPRIT_REQUEST_RANGES, pc)) return no_rule;  // not remembered: the next try may be answered
    known = find_range(pc, range);
  }
  Rule rule = known ? rule_in(range, pc) : no_rule;
  uint64_t permuted = (pc * 0x9e3779b97f4a7c15ull) & ((uint64_t{1} << 47) - 1);
  __atomic_store_n(&rule_cache[permuted >> 32].word, uint64_t{rule} << 32 | static_cast<uint32_t>(permuted),
                   __ATOMIC_RELAXED);
  return rule;
}

uint64_t far_distance(uint64_t pc, uint32_t index) {
  culprit_range range{};
  if (!find_range(pc, range) || index >= range.far_count) return 0;
  auto* distances = table_at<uint32_t>(range.far, range.far_count);
  return distances == nullptr ? 0 : uint64_t{distances[index]} * 8;
}

void forget_rules() {
  for (RuleEntry& entry : rule_cache) __atomic_store_n(&entry.word, 0, __ATOMIC_RELAXED);
}

}  // namespace culprit::agent
