#include "agent/whole_stacks.h"

#include "agent/memory.h"
#include "agent/unwind.h"

namespace culprit::agent {

namespace {

constexpr uint64_t spread = 0x9e3779b97f4a7c15ull;

uint8_t& newest_at(WholeStacks& whole, const CallSite& site) {
  static_assert(sizeof whole.by_site == 256);
  return whole.by_site[((site.pc + site.rsp) * spread) >> 56];
}

uint8_t& with_words(WholeStacks& whole, uint64_t words) {
  static_assert(sizeof whole.by_words == 256);
  return whole.by_words[(words * spread) >> 56];
}

bool begins_at(const WholeStack& stack, const CallSite& site) {
  return stack.pc == site.pc && stack.rsp == site.rsp && stack.lookup == site.lookup &&
         (stack.rbp == site.rbp || !stack.rbp_needed);
}

uint64_t mixed(uint64_t words, uint64_t word) { return (words << 7 | words >> 57) ^ word; }

// Reads the words that `stack` follows from: are they the same? `words` becomes a hash of them as they are now.
bool holds(const WholeStack& stack, uint64_t& words) {
  uint64_t difference = words = 0;
  for (uint32_t i = 0; i < stack.check_count; ++i) {
    uint64_t word = word_at(stack.checks[i].address);
    difference |= word ^ stack.checks[i].value;
    words = mixed(words, word);
  }
  return difference == 0;
}

// As in capture.cc: is rbp, as it is at the call site, of any importance to frames further out?
bool needs_rbp(const LastCapture& last) {
  const CapturedFrame& innermost = last.frames[last.count - 1];
  return innermost.uses_rbp || (innermost.rbp_slot == 0 && innermost.rbp_needed);
}

}  // namespace

uint32_t recall_stack(CallTree& tree, const CallSite& site) {
  WholeStacks& whole = tree.whole;
  uint8_t& newest = newest_at(whole, site);
  const WholeStack& first = whole.stacks[newest];
  if (!begins_at(first, site)) return 0;
  uint64_t words = 0;
  if (holds(first, words)) return first.node;
  // Another path to the same place, as a rule with frames of the same sizes: then its words lie at the same addresses.
  uint8_t other = with_words(whole, words);
  const WholeStack& second = whole.stacks[other];
  if (!begins_at(second, site) || !holds(second, words)) return 0;
  newest = other;
  return second.node;
}

void remember_whole_stack(CallTree& tree, const CallSite& site, uint32_t node) {
  const LastCapture& last = tree.last;
  if (last.count == 0 || last.check_count > whole_stack_checks || node < first_node) return;
  WholeStacks& whole = tree.whole;
  auto number = static_cast<uint8_t>(whole.next % whole_stack_count);
  whole.next = number + 1;
  WholeStack& stack = whole.stacks[number];
  stack.pc = 0;  // whoever interrupts this for good (longjmp out of a signal handler) leaves nothing half-done behind
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  stack.lookup = site.lookup;
  stack.rsp = site.rsp;
  stack.rbp = site.rbp;
  stack.rbp_needed = needs_rbp(last);
  stack.node = node;
  stack.check_count = last.check_count;
  memcpy(stack.checks, last.checks, last.check_count * sizeof(Check));
  uint64_t words = 0;
  for (uint32_t i = 0; i < stack.check_count; ++i) words = mixed(words, stack.checks[i].value);
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  stack.pc = site.pc;
  newest_at(whole, site) = with_words(whole, words) = number;
}

// Places that no table leads to need not be cleared.
void forget_whole_stacks(CallTree& tree) {
  WholeStacks& whole = tree.whole;
  if (whole.next == 0) return;
  whole.next = 0;
  whole.stacks[0].pc = 0;
  memset(whole.by_site, 0, sizeof whole.by_site);
  memset(whole.by_words, 0, sizeof whole.by_words);
}

}  // namespace culprit::agent
