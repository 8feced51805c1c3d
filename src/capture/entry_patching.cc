#include "capture/entry_patching.h"

#include <algorithm>
#include <cstring>

#include "capture/stopped_moment.h"
#include "unwind/unwinder.h"

namespace culprit {
namespace {

constexpr Time stop_time = 5'000'000'000;
constexpr std::byte jump_code{0xe9}, breakpoint_code{0xcc};

// Whether a thread is, or will come back, among the bytes that are about to be replaced.
class Hindrances {
 public:
  Hindrances(TouchedProcess& victim, const std::vector<EntryPatch>& patches) : victim_(victim), patches_(patches) {}

  bool has(const ProcessStopper::Thread& thread) {
    const user_regs_struct& at = thread.registers;
    if (is_among(at.rip)) return true;
    const std::vector<uint64_t> words = stack_words(victim_, at.rsp);
    return words.empty() ? is_in_walk(at) : is_on_stack(at.rsp, words, most_stacks);
  }

 private:
  static constexpr int most_stacks = 4;

  bool is_among(uint64_t pc) const {
    auto after = std::ranges::upper_bound(patches_, pc, {}, [](const EntryPatch& patch) { return patch.entry.start; });
    if (after == patches_.begin()) return false;
    const uint64_t start = std::prev(after)->entry.start;
    return pc > start && pc < start + jump_size;
  }

  // Too much to look at word by word while threads stand still; what a handler has on it is near.
  bool is_in_walk(const user_regs_struct& at) {
    auto lookup = [&](uint64_t pc) { return victim_.code.unwind_code_at(pc); };
    const WalkedStack stack = walk_stack({at.rip, at.rsp, at.rbp}, victim_.memory, lookup,
                                         {.is_in_system_call = static_cast<long long>(at.orig_rax) >= 0});
    return std::ranges::any_of(stack.frames, [&](const WalkedFrame& frame) { return is_among(frame.address); });
  }

  // A signal handler goes back to where it interrupted: the frame of the signal has that address. A handler with a
  // stack of its own hides the other one.
  bool is_on_stack(uint64_t stack_pointer, const std::vector<uint64_t>& words, int stacks_left) {
    if (std::ranges::any_of(words, [&](uint64_t word) { return is_among(word); })) return true;
    const uint64_t end = stack_pointer + words.size() * sizeof(uint64_t);
    for (size_t i = 0; i + pc_in_signal_frame < words.size(); i++) {
      if (words[i] != victim_.code.libc().sigreturn) continue;
      const uint64_t interrupted = words[i + sp_in_signal_frame] & ~uint64_t{7};
      if (interrupted >= stack_pointer && interrupted < end) continue;
      if (stacks_left == 0 || is_on_stack(interrupted, stack_words(victim_, interrupted), stacks_left - 1)) return true;
    }
    return false;
  }

  TouchedProcess& victim_;
  const std::vector<EntryPatch>& patches_;
};

Result<bool> write_jumps(TouchedProcess& victim, const std::vector<EntryPatch>& patches) {
  for (size_t i = 0; i < patches.size(); i++) {
    const EntryPatch& patch = patches[i];
    std::array<std::byte, jump_size> now{};
    const bool is_as_expected = victim.memory.read(patch.entry.start, now) && now == patch.entry.original;
    if (is_as_expected && victim.memory.write(patch.entry.start, jump_between(patch.entry.start, patch.door))) continue;
    while (i-- > 0) victim.memory.write(patches[i].entry.start, patches[i].entry.original);
    return fail(ErrorKind::no_access, is_as_expected ? "the kernel does not let culprit change its code"
                                                     : "the code of its allocator has changed meanwhile");
  }
  return true;
}

}  // namespace

Result<std::string> put_entries(TouchedProcess& victim, const AgentPresence& agent,
                                const uint64_t (&functions)[CULPRIT_ALLOCATOR_FUNCTIONS], uint64_t gate_address,
                                const BlockSizes& sizes) {
  culprit_heap_gate gate{};
  const bool has_gate = agent.covers(gate_address) && victim.memory.read_value(gate_address, gate) &&
                        agent.covers(gate.room) && agent.covers(gate.doors[CULPRIT_MALLOC]);
  if (!has_gate) return fail(ErrorKind::unsupported, "it has begun another program since; attach again");
  auto patches = plan_entry_patches(victim.code, victim.memory, functions, gate);
  if (!patches) return tl::unexpected<Error>(patches.error());
  bool is_written = true;
  for (const EntryPatch& patch : *patches) {
    // Where recording was on before, the same stands there already, and a thread may just be in it.
    std::array<std::byte, CULPRIT_ENTRY_CODE> there{};
    if (!victim.memory.read(patch.room, there) || there != patch.moved.code)
      is_written &= victim.memory.write(patch.room, patch.moved.code);
    gate.beyond[patch.function] = patch.room;
  }
  gate.least = sizes.least;
  gate.most = sizes.most;
  if (!is_written || !victim.memory.write_value(gate_address, gate))
    return fail(ErrorKind::no_access, "the kernel does not let culprit write its memory");
  Hindrances hindrances(victim, *patches);
  CULPRIT_TRY(while_stopped(victim, stop_time, [&](std::vector<ProcessStopper::Thread>& threads) -> Result<bool> {
    auto hinders = [&](const ProcessStopper::Thread& thread) { return hindrances.has(thread); };
    if (std::ranges::any_of(threads, hinders)) return false;
    CULPRIT_TRY(write_jumps(victim, *patches));
    // From now on the agent knows when the allocator is at work, and so whose a mapping is.
    gate.mappings = sizes.has_all() ? 1 : 0;
    victim.memory.write_value(gate_address, gate);
    return true;
  }));
  const bool has_operators =
      std::ranges::any_of(*patches, [](const EntryPatch& patch) { return patch.entry.has_operators; });
  return has_operators ? "its allocator has an operator new of its own: what that makes is not seen" : "";
}

EntriesTaken take_entries_back(TouchedProcess& victim, const AgentPresence& agent,
                               const std::vector<AllocatorEntry>& entries) {
  for (const AllocatorEntry& entry : entries) {
    std::array<std::byte, jump_size> now{};
    if (!victim.memory.read(entry.start, now) || (now[0] != jump_code && now[0] != breakpoint_code)) continue;
    int32_t distance = 0;
    std::memcpy(&distance, &now[1], sizeof distance);
    const uint64_t target = entry.start + jump_size + static_cast<uint64_t>(int64_t{distance});
    if (!agent.covers(target)) continue;
    // Whoever set the breakpoint would put the jump's first byte back in the end.
    if (now[0] == breakpoint_code) return EntriesTaken::under_breakpoint;
    if (!victim.memory.write(entry.start, entry.original)) return EntriesTaken::not_writable;
  }
  return EntriesTaken::all;
}

Result<void> take_entries(TouchedProcess& victim, const AgentPresence& agent, uint64_t gate_address) {
  const uint64_t no_mappings = 0;
  if (agent.covers(gate_address))
    victim.memory.write_value(gate_address + offsetof(culprit_heap_gate, mappings), no_mappings);
  const std::vector<AllocatorEntry> entries = find_allocator_entries(victim.code);
  return while_stopped(victim, stop_time, [&](std::vector<ProcessStopper::Thread>&) -> Result<bool> {
    switch (take_entries_back(victim, agent, entries)) {
      case EntriesTaken::all:
        return true;
      case EntriesTaken::under_breakpoint:
        return fail(ErrorKind::unsupported, "a breakpoint stands at a function of its allocator; clear it first");
      default:
        return fail(ErrorKind::no_access, "the kernel does not let culprit change its code");
    }
  });
}

}  // namespace culprit
