#include "capture/bpf_stacks.h"

#include "wire/bpf_events.h"

namespace culprit {

BpfStacks::Stack BpfStacks::define(uint64_t hash, std::span<const uint64_t> frames, bool is_truncated,
                                   const CodeMap& code) {
  Stack stack{is_truncated ? StackId::truncated : StackId::none, is_truncated};
  for (size_t i = frames.size(); i-- > 0;) {
    FoundBy found_by = (frames[i] & CULPRIT_BPF_FRAME_EXACT) != 0        ? FoundBy::registers
                       : (frames[i] & CULPRIT_BPF_FRAME_BY_POINTER) != 0 ? FoundBy::frame_pointer
                                                                         : FoundBy::unwind_table;
    stack.id = tables_.stacks.intern(stack.id, code.frame_at(frames[i] & ~CULPRIT_BPF_FRAME_BITS, found_by));
  }
  if (hash != 0) current_[hash] = stack;
  return stack;
}

StackId BpfStacks::intern(const WalkedStack& walked, const CodeMap& code) {
  StackId id = walked.is_truncated ? StackId::truncated : StackId::none;
  for (size_t i = walked.frames.size(); i-- > 0;) {
    id = tables_.stacks.intern(id, code.frame_at(walked.frames[i].address, walked.frames[i].found_by));
  }
  return id;
}

const BpfStacks::Stack* BpfStacks::find(uint64_t hash) const {
  if (auto found = current_.find(hash); found != current_.end()) return &found->second;
  auto found = before_.find(hash);
  return found == before_.end() ? nullptr : &found->second;
}

void BpfStacks::begin_epoch() { before_ = std::exchange(current_, {}); }

}  // namespace culprit
