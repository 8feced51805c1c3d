// Stacks of stopped threads. What a walk depended on is remembered: if all of that is found again at the same place, a
// new walk would come to the same end. So this is exact.
#pragma once

#include <sys/user.h>

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "capture/module_files.h"
#include "capture/traced_process.h"
#include "model/trace.h"
#include "unwind/process_memory.h"
#include "unwind/unwinder.h"

namespace culprit {

class TraceeStacks {
 public:
  explicit TraceeStacks(TraceTables& tables) : tables_(tables), files_(tables) {}

  struct Stack {
    StackId id = StackId::none;
    bool is_truncated = false;
  };
  // Of a thread that stands in a system call.
  Stack take(TracedProcess& process, uint32_t tid, const user_regs_struct& registers);

  // Reads where the code lies, and builds unwind tables for all of it: so that nothing has to wait for that later.
  bool read_code(TracedProcess& process, uint32_t tid);
  void build_tables(const TracedProcess& process);

 private:
  struct Remembered {
    uint64_t bp = 0;
    bool needs_bp = false;
    ProcessId process = ProcessId::none;
    uint32_t generation = 0;
    std::vector<StackWord> words;
    Stack stack;
  };
  struct Place {
    uint64_t ip, sp;
    bool operator==(const Place&) const = default;
  };
  struct Hash {
    size_t operator()(const Place& place) const;
  };

  const std::optional<UnwindTable>& table_of(const ModuleFile& file);
  Stack walk(TracedProcess& process, uint32_t tid, const UnwindRegisters& registers, Remembered& remembered);

  TraceTables& tables_;
  ModuleFiles files_;
  std::unordered_map<const ModuleFile*, std::optional<UnwindTable>> unwind_tables_;
  std::unordered_map<Place, Remembered, Hash> remembered_;
};

}  // namespace culprit
