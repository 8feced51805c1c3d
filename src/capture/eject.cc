#include "capture/eject.h"

#include <dlfcn.h>
#include <fmt/core.h>

#include <algorithm>
#include <cstring>

#include "capture/entry_patching.h"
#include "capture/stopped_moment.h"
#include "unwind/unwinder.h"
#include "wire/agent_attach.h"

namespace culprit {
namespace {

constexpr Time leaving_time = 5'000'000'000;  // for threads to come out of the agent
constexpr Time call_patience = 2'000'000'000;

std::vector<PatchedSite> find_patches(TouchedProcess& victim, const AgentPresence& agent) {
  std::vector<PatchedSite> found;
  for (const VictimCode::Site& site : victim.code.sites()) {
    uint8_t jump[jump_size] = {};
    int32_t distance = 0;
    if (!victim.memory.read(site.start, std::as_writable_bytes(std::span(jump))) || jump[0] != 0xe9) continue;
    std::memcpy(&distance, jump + 1, sizeof distance);
    uint64_t stub = site.start + jump_size + static_cast<uint64_t>(int64_t{distance});
    if (agent.covers(stub)) found.push_back({site.start, stub, site.site});
  }
  return found;
}

// With all threads stopped.
class Unpatching {
 public:
  Unpatching(TouchedProcess& victim, const AgentPresence& agent)
      : victim_(victim), agent_(agent), entries_(find_allocator_entries(victim.code)) {}

  // Threads that are in the agent get out by themselves, whatever stands in libc then. One that is just beginning there
  // may have patched more since the last time.
  bool restore() {
    return take_entries_back(victim_, agent_, entries_) == EntriesTaken::all && restore_sites();
  }

  // Takes threads out of stubs where that is possible. True: no thread has anything to do in the agent any more.
  bool clear(std::vector<ProcessStopper::Thread>& threads) const {
    bool is_clear = true;
    for (ProcessStopper::Thread& thread : threads) is_clear &= take_out(thread);
    return is_clear;
  }

 private:
  bool restore_sites() {
    return std::ranges::all_of(find_patches(victim_, agent_), [&](const PatchedSite& site) {
      return victim_.memory.write(site.start, std::as_bytes(std::span(site.site.original, jump_size)));
    });
  }

  bool take_out(ProcessStopper::Thread& thread) const {
    UnwindRegisters at{thread.registers.rip, thread.registers.rsp, thread.registers.rbp};
    bool is_in_agent = agent_.covers(at.ip);
    if (is_in_agent) {
      auto way = way_out(at.ip);
      if (!way) return false;
      at.ip = *way;
    }
    if (returns_to_agent(at, static_cast<long long>(thread.registers.orig_rax) >= 0)) return false;
    thread.registers.rip = at.ip;
    thread.has_new_registers |= is_in_agent;
    return true;
  }

  // The stub itself says whose it is; the jump to it may be gone already.
  std::optional<uint64_t> way_out(uint64_t pc) const {
    uint64_t stub = pc & ~uint64_t{CULPRIT_STUB_SIZE - 1}, start = 0;
    if (!victim_.memory.read_value(stub + CULPRIT_STUB_DATA, start)) return {};
    auto site = std::ranges::lower_bound(victim_.code.sites(), start, {}, &VictimCode::Site::start);
    if (site == victim_.code.sites().end() || site->start != start) return {};
    return way_out_of_stub({start, stub, site->site}, pc);
  }

  // Signal handlers that interrupted a stub return to libc instead. True: some frame stays in the agent, as far as can
  // be told. Most stacks hold no address of the agent at all, which is quickly seen; where one does, it may be what an
  // earlier call left there.
  bool returns_to_agent(const UnwindRegisters& registers, bool waits) const {
    std::vector<uint64_t> words = stack_words(victim_, registers.sp);
    auto is_in_agent = [&](uint64_t address) { return agent_.covers(address); };
    if (!words.empty() && std::ranges::none_of(words, is_in_agent)) return false;
    auto lookup = [&](uint64_t pc) { return victim_.code.unwind_code_at(pc); };
    WalkedStack stack = walk_stack(registers, victim_.memory, lookup, {.is_in_system_call = waits});
    for (size_t i = 1; i < stack.frames.size(); i++) {
      const WalkedFrame& frame = stack.frames[i];
      if (!is_in_agent(frame.address)) continue;
      bool is_interrupted = frame.found_by == FoundBy::registers;
      // Its caller is libc, however the walk went on from the stub.
      if (!is_interrupted || !change_signal_frame(registers.sp, words, frame.address)) return true;
      return returns_to_agent(registers, waits);
    }
    return stack.is_truncated;
  }

  bool change_signal_frame(uint64_t stack_pointer, const std::vector<uint64_t>& words, uint64_t pc) const {
    auto way = way_out(pc);
    for (size_t i = pc_in_signal_frame; way && i < words.size(); i++) {
      bool is_frame = words[i] == pc && words[i - pc_in_signal_frame] == victim_.code.libc().sigreturn;
      if (is_frame) return victim_.memory.write_value(stack_pointer + i * sizeof(uint64_t), *way);
    }
    return false;
  }

  TouchedProcess& victim_;
  const AgentPresence& agent_;
  const std::vector<AllocatorEntry> entries_;
};

struct Undone {
  bool is_unpatched = false, is_clear = false;
};

Result<Undone> undo_patches(TouchedProcess& victim, const AgentPresence& agent) {
  Unpatching unpatching(victim, agent);
  Undone undone;
  auto done = while_stopped(victim, leaving_time, [&](std::vector<ProcessStopper::Thread>& threads) -> Result<bool> {
    undone.is_unpatched = unpatching.restore();
    undone.is_clear = undone.is_unpatched && unpatching.clear(threads);
    return undone.is_clear;
  });
  if (!done && done.error().kind != ErrorKind::limit) return tl::unexpected<Error>(done.error());
  return undone;
}

// On borrowed threads: when one cannot go on, the next goes on where it was.
class Unloading {
 public:
  Unloading(TouchedProcess& victim, const AgentFile& file, const AgentPresence& agent)
      : victim_(victim), file_(file), agent_(agent) {}

  Result<void> run(BorrowedThread& thread) {
    for (; unmapped_ < agent_.session.size(); unmapped_++) {
      const AgentPresence::Piece& piece = agent_.session[unmapped_];
      CULPRIT_TRY(thread.call(victim_.code.libc().munmap, {piece.start, piece.end - piece.start}, call_patience));
    }
    bool can_close = agent_.start != 0 && agent_.is_this_file && !agent_.began_with_it;
    return can_close ? close_library(thread) : Result<void>();
  }

 private:
  // Asking for its handle counts as opening it once more, and an earlier culprit may have been killed when it had just
  // asked: it is closed until it is gone.
  Result<void> close_library(BorrowedThread& thread) {
    constexpr int most_times = 32;
    if (handle_ == 0) CULPRIT_TRY(find_handle(thread));
    for (int times = 0; handle_ != 0 && times < most_times && is_loaded(); times++)
      CULPRIT_TRY(thread.call(victim_.code.libc().dlclose, {handle_}, call_patience));
    return {};
  }

  bool is_loaded() const {
    auto now = find_agent(victim_.pid, file_);
    return now && now->start != 0;
  }

  Result<void> find_handle(BorrowedThread& thread) {
    constexpr uint64_t path_at = 1024;
    Bytes path = std::as_bytes(std::span(file_.path.c_str(), file_.path.size() + 1));
    culprit_call open{victim_.code.libc().dlopen, {thread.scratch() + path_at, RTLD_NOW | RTLD_NOLOAD}, 0};
    bool is_written =
        victim_.memory.write(thread.scratch() + path_at, path) && victim_.memory.write_value(thread.scratch(), open);
    if (!is_written) return fail(ErrorKind::gone, "the process ended meanwhile");
    CULPRIT_TRY(thread.call(agent_.bias + file_.call, {thread.scratch()}, call_patience));
    if (victim_.memory.read_value(thread.scratch(), open)) handle_ = open.result;
    return {};
  }

  TouchedProcess& victim_;
  const AgentFile& file_;
  const AgentPresence& agent_;
  size_t unmapped_ = 0;
  uint64_t handle_ = 0;
};

std::string why_left(const AgentPresence& before, const AgentPresence& now, const Result<void>& unloaded) {
  if (now.start == 0 && now.session.empty()) return "";
  std::string why = before.began_with_it   ? "the program was started with it, and a loader keeps such libraries"
                    : !before.is_this_file ? "its file has been replaced"
                    : !unloaded            ? unloaded.error().what
                                           : "the loader does not unload it";
  return fmt::format("the agent's library is still mapped, unused: {}", why);
}

}  // namespace

Result<Ejection> eject(TouchedProcess& victim, const AgentFile& file) {
  auto agent = find_agent(victim.pid, file);
  if (!agent) return tl::unexpected<Error>(agent.error());
  Ejection ejection;
  if (!agent->is_anything()) {
    ejection.is_unpatched = true;
    return ejection;
  }
  if (agent->has_wrappers) {
    ejection.left_behind = "the agent's wrappers: the program was started with them";
    return ejection;
  }
  auto undone = undo_patches(victim, *agent);
  if (!undone) return tl::unexpected<Error>(undone.error());
  ejection.is_unpatched = undone->is_unpatched;
  if (!undone->is_unpatched) {
    ejection.left_behind = "the agent, asleep: the process could not be stopped for a moment, or a breakpoint stands "
                           "where its allocator was patched";
    return ejection;
  }
  if (!undone->is_clear) {
    ejection.left_behind = "the agent's library, unused: a signal handler still runs that interrupted it";
    return ejection;
  }
  Unloading unloading(victim, file, *agent);
  auto unloaded = with_borrowed_thread(victim, [&](BorrowedThread& thread) { return unloading.run(thread); });
  auto now = find_agent(victim.pid, file);
  if (!now) return tl::unexpected<Error>(now.error());
  ejection.left_behind = why_left(*agent, *now, unloaded);
  return ejection;
}

}  // namespace culprit
