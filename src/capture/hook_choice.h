// How the agent gets into libc: by patching its system calls, or, where their code is not as expected, by wrapping its
// functions.
#pragma once

#include <string>

#include "base/bytes.h"

namespace culprit {

// A quick look (well under a millisecond) at the bytes of a libc.so.6: the calls that matter most stand there as the
// agent can patch them. find_patch_sites is what decides about each place; it takes too long to hold up a launch.
bool looks_patchable(Bytes libc_image);

// The same for the libc that programs of this machine get: the one culprit itself runs on.
bool own_libc_looks_patchable();

// What wrappers cannot see, one sentence for Process::sight_reason. `why`: why there are wrappers.
std::string wrappers_blind_spots(const std::string& why);

}  // namespace culprit
