#include "capture/inject.h"

#include <dlfcn.h>
#include <fmt/core.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cstring>

#include "capture/allocator_entries.h"
#include "capture/stopped_moment.h"

namespace culprit {
namespace {

constexpr Time load_patience = 3'000'000'000, attach_patience = 2'000'000'000;
constexpr Time stop_time = 5'000'000'000;

Result<void> check_answer(const culprit_attach& answer) {
  switch (answer.result) {
    case CULPRIT_ATTACH_DONE:
      return {};
    case CULPRIT_ATTACH_NO_SESSION:
      return fail(ErrorKind::no_access,
                  "it cannot reach culprit's shared memory (it is in other namespaces, or has no memory left)");
    case CULPRIT_ATTACH_NO_STUBS:
      return fail(ErrorKind::no_access,
                  fmt::format("the kernel does not let it change its own code ({})", strerror(-answer.error)));
    default:
      return fail(ErrorKind::unsupported, "the agent in it does not answer as it should");
  }
}

// On the borrowed thread: the library's path and the argument lie in the scratch memory.
class Loading {
 public:
  Loading(TouchedProcess& victim, const AgentFile& agent, culprit_attach& argument, BorrowedThread& thread)
      : victim_(victim), agent_(agent), argument_(argument), thread_(thread) {}

  Result<void> run() {
    CULPRIT_TRY(load_library());
    auto presence = find_agent(victim_.pid, agent_);
    if (!presence) return tl::unexpected<Error>(presence.error());
    if (!presence->is_this_file) {
      return fail(
          ErrorKind::unsupported,
          "its loader does not take the agent's library (no free handle number, no memory, no room for thread-local "
          "data, or a security module)");
    }
    uint64_t place = thread_.scratch() + argument_at;
    if (!victim_.memory.write_value(place, argument_)) return gone();
    CULPRIT_TRY(thread_.call(presence->bias + agent_.attach, {place}, attach_patience));
    if (!victim_.memory.read_value(place, argument_)) return gone();
    return check_answer(argument_);
  }

 private:
  static constexpr uint64_t argument_at = 8192;
  static_assert(argument_at + sizeof(culprit_attach) <= BorrowedThread::scratch_size);

  tl::unexpected<Error> gone() const { return fail(ErrorKind::gone, fmt::format("process {} has ended", victim_.pid)); }

  Result<void> load_library() {
    const std::string& path = agent_.path;
    Bytes text = std::as_bytes(std::span(path.c_str(), path.size() + 1));
    if (text.size() > argument_at) return fail(ErrorKind::limit, "the path of the agent library is too long");
    if (!victim_.memory.write(thread_.scratch(), text)) return gone();
    return thread_.call(victim_.code.libc().dlopen, {thread_.scratch(), RTLD_NOW}, load_patience);
  }

  TouchedProcess& victim_;
  const AgentFile& agent_;
  culprit_attach& argument_;
  BorrowedThread& thread_;
};

// Which places become jumps, and which cannot.
struct Plan {
  std::vector<PatchedSite> patches;  // ascending
  std::vector<uint16_t> left_out;    // system calls
};

// Ordinary reads and ioctls of these places make no handles: they are there for fanotify, and for terminals.
bool is_of_no_account(const culprit_site& site, const culprit_attach& answer) {
  return !can_be_patched_late(site) &&
         (site.number == SYS_ioctl || (site.number == SYS_read && answer.fanotify_count == 0));
}

// What the agent has to see whatever it records: code that comes and goes, threads and processes that begin and end,
// and what keeps it from calling the kernel.
constexpr uint16_t vital_calls[] = {
    SYS_fork, SYS_vfork,  SYS_clone,  435 /* clone3 */, SYS_execve,  SYS_execveat, SYS_exit,      SYS_exit_group,
    SYS_mmap, SYS_munmap, SYS_mremap, SYS_brk,          SYS_seccomp, SYS_prctl,    SYS_setrlimit, SYS_prlimit64};

Plan make_plan(const VictimCode& code, const culprit_attach& answer, bool handles) {
  // A write over a page's end is two, and culprit might be killed between them.
  constexpr uint64_t page = 4096;
  auto jumps = std::span(answer.jumps, std::min<uint32_t>(answer.jump_count, CULPRIT_STUB_COUNT));
  Plan plan;
  for (const VictimCode::Site& site : code.sites()) {
    const bool is_vital = std::ranges::count(vital_calls, site.site.number) != 0;
    if (!handles && (!is_vital || site.site.kind == CULPRIT_SITE_ANY_CALL)) continue;
    auto jump = std::ranges::find(jumps, site.start, &culprit_jump::site);
    if (jump != jumps.end() && can_be_patched_late(site.site) && site.start % page <= page - jump_size)
      plan.patches.push_back({site.start, jump->stub, site.site});
    else if (!is_of_no_account(site.site, answer))
      plan.left_out.push_back(site.site.number);
  }
  return plan;
}

// With all threads stopped.
class Patching {
 public:
  Patching(TouchedProcess& victim, const std::vector<PatchedSite>& planned) : victim_(victim), planned_(planned) {}

  // Looked at before: the agent has just seen to it, but who knows that it was the agent.
  bool is_as_expected() const {
    return std::ranges::all_of(planned_, [&](const PatchedSite& planned) {
      uint8_t bytes[sizeof planned.site.original] = {};
      uint64_t belongs_to = 0;
      return victim_.memory.read(planned.start, std::as_writable_bytes(std::span(bytes, planned.site.length))) &&
             std::memcmp(bytes, planned.site.original, planned.site.length) == 0 &&
             victim_.memory.read_value(planned.stub + CULPRIT_STUB_DATA, belongs_to) && belongs_to == planned.start;
    });
  }

  // A thread between the bytes of a jump that is to be.
  bool is_hindered(const std::vector<ProcessStopper::Thread>& threads) const {
    return std::ranges::any_of(threads, [&](const ProcessStopper::Thread& thread) {
      const PatchedSite* site = site_before(thread.registers.rip);
      return site != nullptr && thread.registers.rip > site->start && thread.registers.rip < site->start + jump_size;
    });
  }

  Result<void> run(std::vector<ProcessStopper::Thread>& threads) {
    for (size_t i = 0; i < planned_.size(); i++) {
      if (write_jump(planned_[i])) continue;
      while (i-- > 0) victim_.memory.write(planned_[i].start, original(planned_[i]));
      return fail(ErrorKind::no_access, "the kernel does not let culprit change its code");
    }
    for (ProcessStopper::Thread& thread : threads) move_into_stub(thread);
    return {};
  }

 private:
  static Bytes original(const PatchedSite& site) { return std::as_bytes(std::span(site.site.original, jump_size)); }

  const PatchedSite* site_before(uint64_t pc) const {
    auto after = std::ranges::upper_bound(planned_, pc, {}, &PatchedSite::start);
    return after == planned_.begin() ? nullptr : &*std::prev(after);
  }

  // In one piece: no thread can ever see half of it, whenever culprit is killed.
  bool write_jump(const PatchedSite& planned) {
    return victim_.memory.write(planned.start, jump_between(planned.start, planned.stub));
  }

  void move_into_stub(ProcessStopper::Thread& thread) {
    const PatchedSite* site = site_before(thread.registers.rip - 1);
    auto way = site == nullptr ? std::nullopt : way_into_stub(*site, thread.registers);
    if (!way) return;
    thread.registers.rip = *way;
    thread.has_new_registers = true;
  }

  TouchedProcess& victim_;
  const std::vector<PatchedSite>& planned_;  // ascending
};

Result<void> patch(TouchedProcess& victim, const std::vector<PatchedSite>& planned) {
  if (planned.empty())
    return fail(ErrorKind::unsupported, "its libc cannot be patched: none of its places is as expected");
  Patching patching(victim, planned);
  if (!patching.is_as_expected()) return fail(ErrorKind::unsupported, "its libc has changed meanwhile");
  return while_stopped(victim, stop_time, [&](std::vector<ProcessStopper::Thread>& threads) -> Result<bool> {
    if (patching.is_hindered(threads)) return false;
    CULPRIT_TRY(patching.run(threads));
    return true;
  });
}

}  // namespace

Result<std::vector<uint16_t>> inject(TouchedProcess& victim, const AgentFile& agent, culprit_attach& argument,
                                     bool handles) {
  CULPRIT_TRY(with_borrowed_thread(
      victim, [&](BorrowedThread& thread) { return Loading(victim, agent, argument, thread).run(); }));
  Plan plan = make_plan(victim.code, argument, handles);
  CULPRIT_TRY(patch(victim, plan.patches));
  return std::move(plan.left_out);
}

}  // namespace culprit
