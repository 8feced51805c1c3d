// Getting in front of an allocator that the program calls directly, past what we export: one that is linked into it, or
// an operator new that need not come down to malloc (jemalloc's, tcmalloc's …). A jump takes the place of a function's
// first instructions; those are moved to a page nearby, from where the real function is called.
#pragma once

namespace culprit::agent {

// Once, before there are other threads, and when the collector has answered. Nothing of the allocator is called: that
// of a sanitizer cannot be used so early. False: something of it remains unseen.
bool follow_own_allocator();

}  // namespace culprit::agent
