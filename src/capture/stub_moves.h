// Threads between a patched place of libc and its stub (wire/agent_attach.h): where one goes on when the patch comes,
// or goes, while the thread is in there. At these points the stub has nothing on the stack and all registers are the
// program's, so that only the program counter differs.
#pragma once

#include <sys/user.h>

#include <cstdint>
#include <optional>

#include "wire/agent_session.h"

namespace culprit {

inline constexpr uint64_t jump_size = 5;  // what of a site is replaced

struct PatchedSite {
  uint64_t start = 0;  // absolute
  uint64_t stub = 0;   // absolute
  culprit_site site;
};

// Where a thread with this program counter in the site's stub is to go on in libc. Nothing: it is in a hook, and has to
// come out of it first.
std::optional<uint64_t> way_out_of_stub(const PatchedSite& patched, uint64_t pc);

// A thread that waits in the site's system call, and will make it again, can do so in the stub: then the handle that it
// makes is seen. Nothing: it is not that, or nothing would be gained.
std::optional<uint64_t> way_into_stub(const PatchedSite& patched, const user_regs_struct& registers);

// A patch may come at any time only if no thread can be between the instructions it replaces.
inline bool can_be_patched_late(const culprit_site& site) { return site.first_length >= jump_size; }

}  // namespace culprit
