// A process in its last call of the kernel, waiting with all that it had.
#pragma once

#include <cstdint>
#include <functional>

#include "model/ids.h"

namespace culprit {

struct ExitingProcess {
  ProcessId process = ProcessId::none;
  uint32_t pid = 0, tid = 0;
  uint64_t stack_from = 0;  // of that thread: from where on it is the program's; its registers lie there. Untrusted
  bool has_foreign_malloc = false;  // CULPRIT_PROCESS_FOREIGN_MALLOC
};

// Asked again and again, until the process may end; it does not wait longer than CULPRIT_EXIT_WAIT_NS.
using MayEnd = std::function<bool(const ExitingProcess&)>;

}  // namespace culprit
