// Looks at a process that is about to end, from outside, for blocks to which nothing points any more.
#pragma once

#include <cstdint>
#include <functional>

#include "model/unreachable_blocks.h"

namespace culprit {

struct ExitingThread {
  uint32_t pid = 0, tid = 0;
  uint64_t stack_from = 0;  // what lies below on its stack is no more the program's
  // Somebody stands between the program and glibc's malloc: blocks that are lost may not be seen, or not be known
  // again.
  bool has_foreign_malloc = false;
};

// The process stands still while its heap is copied and walked, and all else is searched for pointers; `let_go` is
// called as soon as it may end. The answer has no time and no process.
UnreachableBlocks look_at_exit(const ExitingThread& exiting, const std::function<void()>& let_go);

}  // namespace culprit
