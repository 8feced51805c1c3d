#include "capture/stub_moves.h"

#include <sys/syscall.h>

#include <algorithm>

#include "wire/agent_attach.h"

namespace culprit {
namespace {

constexpr uint64_t syscall_size = 2;

bool has_call(const culprit_site& site) { return site.kind == CULPRIT_SITE_CALL || site.kind == CULPRIT_SITE_ANY_CALL; }

// How many of the replaced bytes the stub has at its beginning, and how many behind its system call.
uint64_t copied_before(const culprit_site& site) {
  return has_call(site) ? site.syscall_offset : site.kind == CULPRIT_SITE_AFTER ? 0 : site.length;
}
uint64_t copied_after(const culprit_site& site) { return site.kind == CULPRIT_SITE_AFTER ? site.length : 0; }

// The hook of an exec has given the call an environment that lies in the session's memory.
bool is_prepared_exec(const culprit_site& site, uint64_t offset) {
  return offset == CULPRIT_STUB_SYSTEM_CALL && (site.number == SYS_execve || site.number == SYS_execveat);
}

// Calls that wait for something and then make a handle, and of which the agent sees nothing but the result.
constexpr uint16_t waiting_makers[] = {SYS_open,    SYS_creat,  SYS_openat,  437 /* openat2 */, SYS_open_by_handle_at,
                                       SYS_mq_open, SYS_accept, SYS_accept4, SYS_recvmsg,       SYS_recvmmsg};

bool will_be_made_again(const user_regs_struct& registers) {
  constexpr long long first = -514, last = -512;  // ERESTARTNOHAND … ERESTARTSYS: from scratch
  auto result = static_cast<long long>(registers.rax);
  return static_cast<long long>(registers.orig_rax) >= 0 && result >= first && result <= last;
}

}  // namespace

std::optional<uint64_t> way_out_of_stub(const PatchedSite& patched, uint64_t pc) {
  const culprit_site& site = patched.site;
  uint64_t offset = pc - patched.stub;
  uint64_t resume = patched.start + site.length;
  uint64_t at_call = has_call(site)                    ? patched.start + site.syscall_offset
                     : site.kind == CULPRIT_SITE_AFTER ? patched.start
                                                       : resume;
  if (offset >= CULPRIT_STUB_END || is_prepared_exec(site, offset)) return {};
  if (offset < copied_before(site)) return patched.start + offset;
  if (offset <= CULPRIT_STUB_BEFORE_HOOK || offset == CULPRIT_STUB_SYSTEM_CALL) return at_call;
  if (offset < CULPRIT_STUB_AFTER_SWITCH) return {};
  if (offset <= CULPRIT_STUB_AFTER_HOOK) return site.kind == CULPRIT_SITE_AFTER ? patched.start : resume;
  if (offset < CULPRIT_STUB_COPIED_AFTER) return {};
  uint64_t copied = offset - CULPRIT_STUB_COPIED_AFTER;
  return copied < copied_after(site) ? patched.start + copied : resume;
}

std::optional<uint64_t> way_into_stub(const PatchedSite& patched, const user_regs_struct& registers) {
  const culprit_site& site = patched.site;
  if (site.kind != CULPRIT_SITE_CALL || std::ranges::count(waiting_makers, site.number) == 0) return {};
  bool is_in_it = registers.rip == patched.start + site.syscall_offset + syscall_size &&
                  registers.orig_rax == site.number && will_be_made_again(registers);
  if (!is_in_it) return {};
  return patched.stub + CULPRIT_STUB_AFTER_SWITCH;
}

}  // namespace culprit
