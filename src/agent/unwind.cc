#include "agent/unwind.h"

#include "agent/stubs.h"

namespace culprit::agent {

namespace {

// struct rt_sigframe past its return address is a ucontext; offsets of uc_mcontext.gregs from there
// (arch/x86/include/uapi/asm/sigcontext.h).
constexpr uint64_t context_rbp = 40 + 10 * 8;
constexpr uint64_t context_rsp = 40 + 15 * 8;
constexpr uint64_t context_rip = 40 + 16 * 8;

// The caller's CFA, and where it was read if it was read.
bool compute_cfa(const UnwindState& state, uint32_t kind, uint32_t slots, CapturedFrame& frame) {
  switch (kind) {
    case CULPRIT_ROW_RSP:
      frame.cfa = state.rsp + slots * 8ull;
      return true;
    case CULPRIT_ROW_RBP:
      frame.cfa = state.rbp + slots * 8ull;
      frame.uses_rbp = true;
      return true;
    case CULPRIT_ROW_PLT:
      frame.cfa = state.rsp + 8 + ((((state.lookup + 1) & 15) >= slots) ? 8 : 0);
      return true;
    case CULPRIT_ROW_FAR:
      frame.cfa = state.rsp + far_distance(state.lookup, slots);
      return frame.cfa != state.rsp;
    case CULPRIT_ROW_RBP_DEREF:
      frame.uses_rbp = true;
      frame.cfa_slot = state.rbp - slots * 8ull;
      if (!state.readable(frame.cfa_slot)) return false;
      frame.cfa = word_at(frame.cfa_slot);
      return true;
    default:
      return false;
  }
}

bool restore_rbp(const UnwindState& state, int16_t rule, CapturedFrame& frame) {
  frame.rbp = state.rbp;
  if (rule == 0) return true;
  if (rule == CULPRIT_RBP_UNKNOWN) {
    frame.rbp = 0;  // whoever needs it finds no readable frame and stops
    return true;
  }
  frame.uses_rbp |= rule == CULPRIT_RBP_AT_RBP;
  frame.rbp_slot = rule == CULPRIT_RBP_AT_RBP ? state.rbp : frame.cfa + static_cast<uint64_t>(int64_t{rule} * 8);
  if (!state.readable(frame.rbp_slot)) return false;
  frame.rbp = word_at(frame.rbp_slot);
  return true;
}

// A signal interrupted the code at frame.return_address; its registers lie on the signal's stack, it may have another
// stack.
Step step_over_signal(UnwindState& state, CapturedFrame& frame) {
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

// Code without unwind table (JIT): believes the frame pointer if it points up the same stack.
Step step_by_frame_pointer(UnwindState& state, CapturedFrame& frame) {
  if (state.rbp <= state.rsp || !state.readable(state.rbp) || !state.readable(state.rbp + 8)) return Step::lost;
  frame.uses_rbp = true;
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
bool step_over_stub(UnwindState& state, CapturedFrame& frame) {
  StubFrame stub{};
  if (!stub_frame(state.lookup, stub)) return false;
  frame.cfa = state.rsp + stub.stack_used;
  frame.rbp = state.rbp;
  frame.return_address = stub.resume;
  state.rsp = frame.cfa;
  state.lookup = stub.lookup;
  return true;
}

bool start_of(const CallSite& site, UnwindState& state) {
  state.lookup = site.lookup;
  state.rsp = site.rsp;
  state.rbp = site.rbp;
  return find_stack(site.rsp, state.stack);
}

}  // namespace

Step step_by_rule(UnwindState& state, Rule rule, CapturedFrame& frame) {
  frame.rbp_slot = frame.cfa_slot = 0;
  frame.uses_rbp = false;
  if (rule == no_rule) return step_by_frame_pointer(state, frame);
  uint32_t kind = rule >> 29;
  if (kind == CULPRIT_ROW_SIGNAL) return step_over_signal(state, frame);
  if (kind == CULPRIT_ROW_END) return Step::outermost;
  if (!compute_cfa(state, kind, (rule >> 16) & 0x1fff, frame)) return Step::lost;
  if (frame.cfa <= state.rsp || !state.readable(frame.cfa - 8)) return Step::lost;
  if (!restore_rbp(state, static_cast<int16_t>(rule), frame)) return Step::lost;
  frame.return_address = word_at(frame.cfa - 8);
  return enter_caller(state, frame);
}

uint32_t walk_stack(const CallSite& site, uint64_t* frames, uint32_t limit, uint32_t& root) {
  root = root_truncated;
  UnwindState state{};
  uint32_t count = 0;
  frames[count++] = site.pc;
  if (!start_of(site, state)) return count;
  while (count < limit) {
    CapturedFrame frame{};
    Step step = Step::lost;
    if (in_stubs(state.lookup)) {
      if (step_over_stub(state, frame)) step = Step::caller;
    } else {
      step = step_by_rule(state, find_rule(state.lookup), frame);
    }
    if (step == Step::outermost) root = root_complete;
    if (step == Step::outermost || step == Step::lost) break;
    if (in_agent(frame.return_address & address_mask)) continue;
    frames[count++] = frame.return_address | (step == Step::interrupted ? exact_address : 0);
  }
  return count;
}

}  // namespace culprit::agent
