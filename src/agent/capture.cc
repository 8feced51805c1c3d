// The stack of an event at the price of what changed since the thread's last one.
//
// State equality and slot equality imply equal results: once a step leads to exactly the state (CFA, return address,
// and rbp where it matters) that the last capture had there, everything further out follows from memory alone, so
// comparing the words it was read from is enough. Nothing is guessed and nothing is marked on the stack.
#include "agent/memory.h"
#include "agent/unwind.h"
#include "agent/whole_stacks.h"

namespace culprit::agent {

namespace {

// The step nearly all code takes, inline; everything else out of line.
inline Step step_outwards(UnwindState& state, CapturedFrame& frame) {
  Rule rule = find_rule(state.lookup);
  uint32_t kind = rule >> 29;
  auto rbp_rule = static_cast<int16_t>(rule);
  if (__builtin_expect(kind - CULPRIT_ROW_RSP > 1 || rbp_rule == CULPRIT_RBP_UNKNOWN || rbp_rule == CULPRIT_RBP_AT_RBP,
                       0))
    return step_by_rule(state, rule, frame);
  frame.uses_rbp = kind == CULPRIT_ROW_RBP;
  uint64_t base = frame.uses_rbp ? state.rbp : state.rsp;
  frame.cfa = base + ((rule >> 16) & 0x1fff) * 8ull;
  if (__builtin_expect(frame.cfa <= state.rsp || !state.readable(frame.cfa - 8), 0)) return Step::lost;
  frame.cfa_slot = frame.rbp_slot = 0;
  frame.rbp = state.rbp;
  if (rbp_rule != 0) {
    frame.rbp_slot = frame.cfa + static_cast<uint64_t>(int64_t{rbp_rule} * 8);
    if (__builtin_expect(!state.readable(frame.rbp_slot), 0)) return Step::lost;
    frame.rbp = word_at(frame.rbp_slot);
  }
  frame.return_address = word_at(frame.cfa - 8);
  return enter_caller(state, frame);
}

void push(LastCapture& last, const CapturedFrame& frame) {
  auto check = [&](uint64_t address, uint64_t value) { last.checks[last.check_count++] = {address, value}; };
  CapturedFrame& place = last.frames[last.count];
  place = frame;
  place.first_check = last.check_count;
  // rbp is an ordinary register in most code and changes all the time; it counts only where a frame further out builds
  // on it.
  const CapturedFrame* outer = last.count == 0 ? nullptr : &place - 1;
  place.rbp_needed = outer != nullptr && (outer->uses_rbp || (outer->rbp_slot == 0 && outer->rbp_needed));
  check(frame.cfa - 8, frame.return_address & address_mask);
  if (frame.rbp_slot != 0 && place.rbp_needed) check(frame.rbp_slot, frame.rbp);
  if (frame.cfa_slot != 0) check(frame.cfa_slot, frame.cfa);
  ++last.count;
}

// Adds the `count` innermost frames in tree.fresh to the tree below `parent`, and to what is remembered on top of the
// `kept` outermost frames (`remembering` false: nothing is). Returns the node of the innermost.
uint32_t add_frames(CallTree& tree, uint32_t count, uint32_t parent, uint32_t kept, bool remembering) {
  LastCapture& last = tree.last;
  uint32_t kept_checks = kept == 0 ? 0 : kept < last.count ? last.frames[kept].first_check : last.check_count;
  last.count = 0;  // whoever interrupts this for good (longjmp out of a signal handler) leaves nothing half-done behind
  for (uint32_t i = count; i-- > 0;)
    tree.fresh[i].node = parent = child_node(tree, parent, tree.fresh[i].return_address);
  if (!remembering || kept + count > frame_limit) return parent;
  last.count = kept;
  last.check_count = kept_checks;
  for (uint32_t i = count; i-- > 0;) push(last, tree.fresh[i]);
  return parent;
}

// How many of the outermost `count` remembered frames no longer hold, i.e. up to and with the innermost one that
// changed.
uint32_t changed_frames(const LastCapture& last, uint32_t count) {
  uint32_t checks = count < last.count ? last.frames[count].first_check : last.check_count;
  while (checks > 0 && word_at(last.checks[checks - 1].address) == last.checks[checks - 1].value) --checks;
  if (checks == 0) return 0;
  while (last.frames[count - 1].first_check > checks - 1) --count;
  return count;
}

bool same_state(const CapturedFrame& remembered, const CapturedFrame& fresh) {
  return remembered.cfa == fresh.cfa && remembered.return_address == fresh.return_address &&
         (remembered.rbp == fresh.rbp || !remembered.rbp_needed);
}

// Takes over what still holds further out: the remembered frames [changed, end), innermost first, with rbp brought up
// to date.
uint32_t take_over(CallTree& tree, uint32_t count, uint32_t end, uint32_t changed) {
  for (uint32_t i = end; i-- > changed && count < frame_limit; ++count) {
    CapturedFrame& frame = tree.fresh[count];
    frame = tree.last.frames[i];
    frame.rbp = frame.rbp_slot != 0 ? word_at(frame.rbp_slot) : tree.fresh[count - 1].rbp;
  }
  return count;
}

// Signal handlers are rare: their stacks are walked each time.
uint32_t capture_by_walk(CallTree& tree, const CallSite& site) {
  tree.last.count = 0;
  static_assert(sizeof tree.fresh >= frame_limit * sizeof(uint64_t));
  auto* frames = reinterpret_cast<uint64_t*>(tree.fresh);
  uint32_t node = root_truncated;
  uint32_t count = walk_stack(site, frames, frame_limit, node);
  while (count-- > 0) node = child_node(tree, node, frames[count]);
  return node;
}

// The bounds of this stack, from the last capture if nothing changed; a different stack makes what is remembered void.
bool enter_stack(CallTree& tree, uint64_t rsp, StackBounds& bounds) {
  LastCapture& last = tree.last;
  uint32_t epoch = stack_epoch();
  bool same = last.stack_epoch == epoch && rsp >= last.stack_start && rsp < last.stack_end;
  if (__builtin_expect(!same, 0)) {
    last.count = 0;
    forget_whole_stacks(tree);
    if (!find_stack(rsp, bounds)) return false;
    last.stack_epoch = epoch;
    last.stack_start = bounds.start;
    last.stack_end = bounds.end;
  }
  bounds = {last.stack_start, last.stack_end};
  return true;
}

// `caller`: the node of the whole stack but for its innermost frame; `walked`: the frames it took to find it.
uint32_t finish(CallTree& tree, const CallSite& site, uint32_t caller, uint32_t walked) {
  constexpr uint32_t worth_remembering = 4;
  uint32_t node = child_node(tree, caller, site.pc);
  if (walked >= worth_remembering) remember_whole_stack(tree, site, node);
  return node;
}

}  // namespace

uint32_t capture_stack(CallTree& tree, const CallSite& site) {
  LastCapture& last = tree.last;
  UnwindState state{site.lookup, site.rsp, site.rbp, {}};
  if (!enter_stack(tree, site.rsp, state.stack)) return child_node(tree, root_truncated, site.pc);
  if (uint32_t known = recall_stack(tree, site); known != 0) return known;
  uint32_t count = 0;
  uint32_t old = last.count;  // remembered frames not yet passed
  while (count < frame_limit) {
    CapturedFrame& frame = tree.fresh[count];
    Step step = step_outwards(state, frame);
    if (step == Step::interrupted) return capture_by_walk(tree, site);
    if (step != Step::caller) {
      bool complete = step == Step::outermost;
      uint32_t node = add_frames(tree, count, complete ? root_complete : root_truncated, 0, complete);
      return finish(tree, site, node, count);
    }
    ++count;
    while (old > 0 && last.frames[old - 1].cfa < frame.cfa) --old;
    if (old == 0 || !same_state(last.frames[old - 1], frame)) continue;
    uint32_t changed = changed_frames(last, old - 1);
    if (changed == 0) {
      uint32_t parent = last.frames[old - 1].node;
      uint32_t node = add_frames(tree, count - 1, parent, old, true);  // the frame itself is remembered already
      return finish(tree, site, node, count);
    }
    // Frames further out than this one still hold as far as the changed one; from there the walk goes on.
    count = take_over(tree, count, old - 1, changed);
    enter_caller(state, tree.fresh[count - 1]);
    old = changed;
  }
  uint32_t node = add_frames(tree, count, root_truncated, 0, false);
  return child_node(tree, node, site.pc);
}

}  // namespace culprit::agent
