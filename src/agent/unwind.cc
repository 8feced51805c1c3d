#include "agent/unwind.h"

#include "agent/memory.h"
#include "agent/rules.h"
#include "agent/stacks.h"
#include "agent/stubs.h"

namespace culprit::agent {

namespace {

// struct rt_sigframe past its return address is a ucontext; offsets of uc_mcontext.gregs from there
// (arch/x86/include/uapi/asm/sigcontext.h).
constexpr uint64_t context_rbp = 40 + 10 * 8;
constexpr uint64_t context_rsp = 40 + 15 * 8;
constexpr uint64_t context_rip = 40 + 16 * 8;

struct State {
  uint64_t lookup, rsp, rbp;
  StackBounds stack;

  bool readable(uint64_t address) const {
    return address >= stack.start && address <= stack.end - 8 && (address & 7) == 0;
  }
};

uint64_t word_at(uint64_t address) { return *reinterpret_cast<const uint64_t*>(address); }

enum class Step { caller, interrupted, outermost, lost };

// The caller's CFA, and where it was read if it was read.
bool compute_cfa(const State& state, uint32_t kind, uint32_t slots, CapturedFrame& frame) {
  switch (kind) {
    case CULPRIT_ROW_RSP:
      frame.cfa = state.rsp + slots * 8ull;
      return true;
    case CULPRIT_ROW_RBP:
      frame.cfa = state.rbp + slots * 8ull;
      return true;
    case CULPRIT_ROW_PLT:
      frame.cfa = state.rsp + 8 + ((((state.lookup + 1) & 15) >= slots) ? 8 : 0);
      return true;
    case CULPRIT_ROW_FAR:
      frame.cfa = state.rsp + far_distance(state.lookup, slots);
      return frame.cfa != state.rsp;
    case CULPRIT_ROW_RBP_DEREF:
      frame.cfa_slot = state.rbp - slots * 8ull;
      if (!state.readable(frame.cfa_slot)) return false;
      frame.cfa = word_at(frame.cfa_slot);
      return true;
    default:
      return false;
  }
}

bool restore_rbp(const State& state, int16_t rule, CapturedFrame& frame) {
  frame.rbp = state.rbp;
  if (rule == 0) return true;
  if (rule == CULPRIT_RBP_UNKNOWN) {
    frame.rbp = 0;  // whoever needs it finds no readable frame and stops
    return true;
  }
  frame.rbp_slot = rule == CULPRIT_RBP_AT_RBP ? state.rbp : frame.cfa + static_cast<uint64_t>(int64_t{rule} * 8);
  if (!state.readable(frame.rbp_slot)) return false;
  frame.rbp = word_at(frame.rbp_slot);
  return true;
}

// A signal interrupted the code at frame.return_address; its registers lie on the signal's stack, it may have another
// stack.
Step step_over_signal(State& state, CapturedFrame& frame) {
  if (!state.readable(state.rsp + context_rip) || !state.readable(state.rsp + context_rbp)) return Step::lost;
  frame.rbp = word_at(state.rsp + context_rbp);
  frame.return_address = word_at(state.rsp + context_rip);
  frame.cfa = word_at(state.rsp + context_rsp);
  if (frame.cfa < state.stack.start || frame.cfa >= state.stack.end) {
    if (!find_stack(frame.cfa, state.stack)) return Step::lost;
  }
  state.lookup = frame.return_address;
  state.rsp = frame.cfa;
  state.rbp = frame.rbp;
  return Step::interrupted;
}

Step enter_caller(State& state, const CapturedFrame& frame) {
  state.rsp = frame.cfa;
  state.rbp = frame.rbp;
  state.lookup = (frame.return_address & address_mask) - 1;
  return frame.return_address == 0 ? Step::outermost : Step::caller;
}

// Code without unwind table (JIT): believes the frame pointer if it points up the same stack.
Step step_by_frame_pointer(State& state, CapturedFrame& frame) {
  if (state.rbp <= state.rsp || !state.readable(state.rbp) || !state.readable(state.rbp + 8)) return Step::lost;
  frame.rbp_slot = state.rbp;
  frame.rbp = word_at(state.rbp);
  frame.cfa = state.rbp + 16;
  frame.return_address = word_at(state.rbp + 8);
  if (frame.return_address < 4096) return Step::lost;
  frame.return_address |= by_frame_pointer;
  state.rsp = frame.cfa;
  state.rbp = frame.rbp;
  state.lookup = (frame.return_address & address_mask) - 1;
  return Step::caller;
}

// Our own code in the victim's stack: a signal handler interrupted a stub or a hook. Stubs have a shape of their own.
bool step_over_stub(State& state, CapturedFrame& frame) {
  StubFrame stub{};
  if (!stub_frame(state.lookup, stub)) return false;
  frame.cfa = state.rsp + stub.stack_used;
  frame.rbp = state.rbp;
  frame.return_address = stub.resume;
  state.rsp = frame.cfa;
  state.lookup = stub.lookup;
  return true;
}

Step step_outwards(State& state, CapturedFrame& frame) {
  frame.rbp_slot = frame.cfa_slot = 0;
  if (__builtin_expect(in_stubs(state.lookup), 0)) return step_over_stub(state, frame) ? Step::caller : Step::lost;
  Rule rule = find_rule(state.lookup);
  if (__builtin_expect(rule == no_rule, 0)) return step_by_frame_pointer(state, frame);
  uint32_t kind = rule >> 29;
  if (kind == CULPRIT_ROW_SIGNAL) return step_over_signal(state, frame);
  if (kind == CULPRIT_ROW_END) return Step::outermost;
  if (!compute_cfa(state, kind, (rule >> 16) & 0x1fff, frame)) return Step::lost;
  if (frame.cfa <= state.rsp || !state.readable(frame.cfa - 8)) return Step::lost;
  if (!restore_rbp(state, static_cast<int16_t>(rule), frame)) return Step::lost;
  frame.return_address = word_at(frame.cfa - 8);
  return enter_caller(state, frame);
}

bool start_of(const CallSite& site, State& state) {
  state.lookup = site.lookup;
  state.rsp = site.rsp;
  state.rbp = site.rbp;
  return find_stack(site.rsp, state.stack);
}

// The memory a frame was worked out from still holds the same?
bool unchanged(const State& state, const CapturedFrame& frame) {
  if (!state.readable(frame.cfa - 8) || word_at(frame.cfa - 8) != (frame.return_address & address_mask)) return false;
  if (frame.rbp_slot != 0 && (!state.readable(frame.rbp_slot) || word_at(frame.rbp_slot) != frame.rbp)) return false;
  return frame.cfa_slot == 0 || (state.readable(frame.cfa_slot) && word_at(frame.cfa_slot) == frame.cfa);
}

bool same_state(const CapturedFrame& a, const CapturedFrame& b) {
  return a.cfa == b.cfa && a.return_address == b.return_address && a.rbp == b.rbp;
}

// Nodes for the `count` innermost frames in tree.fresh, outermost first, below `parent`; returns the node of the first.
uint32_t add_nodes(CallTree& tree, uint32_t count, uint32_t parent) {
  for (uint32_t i = count; i-- > 0;)
    tree.fresh[i].node = parent = child_node(tree, parent, tree.fresh[i].return_address);
  return parent;
}

// fresh[0, count) followed by frames[joined, …) becomes the remembered capture.
void remember(CallTree& tree, uint32_t count, uint32_t joined) {
  uint32_t kept = tree.frame_count - joined;
  if (count + kept > frame_limit) kept = 0, count = 0;
  tree.frame_count =
      0;  // whoever interrupts us for good (longjmp out of a signal handler) leaves nothing half-done behind
  if (count != joined) memmove(&tree.frames[count], &tree.frames[joined], kept * sizeof(CapturedFrame));
  memcpy(tree.frames, tree.fresh, count * sizeof(CapturedFrame));
  tree.frame_count = count + kept;
}

}  // namespace

uint32_t capture_stack(CallTree& tree, const CallSite& site) {
  State state{};
  if (!start_of(site, state)) return child_node(tree, root_truncated, site.pc);
  uint32_t count = 0;
  uint32_t old = 0;                       // first remembered frame not yet passed
  uint32_t old_count = tree.frame_count;  // 0: nothing to join with
  bool cacheable = true;
  uint32_t root = root_truncated;
  while (count < frame_limit) {
    CapturedFrame& frame = tree.fresh[count];
    bool from_stub = in_stubs(state.lookup);
    Step step = step_outwards(state, frame);
    if (step == Step::outermost || step == Step::lost) {
      root = step == Step::outermost ? root_complete : root_truncated;
      break;
    }
    if (step == Step::interrupted) {
      frame.return_address |= exact_address;
      // In a stub or hook of ours: what the program was doing is the system call, found by the next steps.
      cacheable = false;
      old_count = 0;
      if (!in_agent(state.lookup)) ++count;
      continue;
    }
    if (from_stub || !cacheable) {
      if (!in_agent(frame.return_address & address_mask)) ++count;
      continue;
    }
    ++count;
    while (old < old_count && tree.frames[old].cfa < frame.cfa) ++old;
    if (old == old_count || !same_state(tree.frames[old], frame)) continue;
    // The same state as last time: everything further out follows from memory alone, so comparing that memory is
    // enough.
    uint32_t same = old + 1;
    while (same < old_count && unchanged(state, tree.frames[same])) ++same;
    if (same == old_count) {
      uint32_t parent = tree.frames[old].node;
      --count;  // the joined frame itself is remembered already
      uint32_t node = add_nodes(tree, count, parent);
      if (tree.frame_count != 0) remember(tree, count, old);
      return child_node(tree, node, site.pc);
    }
    for (uint32_t i = old + 1; i < same && count < frame_limit; ++i) tree.fresh[count++] = tree.frames[i];
    const CapturedFrame& last = tree.fresh[count - 1];
    enter_caller(state, last);
    old = same;
  }
  uint32_t node = add_nodes(tree, count, root);
  tree.frame_count = 0;
  if (cacheable && root == root_complete) {
    memcpy(tree.frames, tree.fresh, count * sizeof(CapturedFrame));
    tree.frame_count = count;
  }
  return child_node(tree, node, site.pc);
}

uint32_t walk_stack(const CallSite& site, uint64_t* frames, uint32_t limit, uint32_t& root) {
  root = root_truncated;
  State state{};
  uint32_t count = 0;
  frames[count++] = site.pc;
  if (!start_of(site, state)) return count;
  while (count < limit) {
    CapturedFrame frame{};
    Step step = step_outwards(state, frame);
    if (step == Step::outermost) root = root_complete;
    if (step == Step::outermost || step == Step::lost) break;
    if (in_agent(frame.return_address & address_mask)) continue;
    frames[count++] = frame.return_address | (step == Step::interrupted ? exact_address : 0);
  }
  return count;
}

}  // namespace culprit::agent
