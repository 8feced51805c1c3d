#include "capture/traced_exec.h"

#include <asm/unistd.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include "capture/program_examination.h"
#include "capture/traced_calls.h"
#include "unwind/process_memory.h"

namespace culprit {

std::string program_to_execute(uint32_t tid, const CallInProgress& call) {
  bool is_at = call.number == __NR_execveat;
  ProcessMemory memory(tid, 256);
  auto path = read_text(memory, call.arguments[is_at ? 1 : 0], 4096);
  if (!path || path->is_cut) return "";
  auto directory = static_cast<int32_t>(call.arguments[0]);
  if (path->text.starts_with("/")) return fmt::format("/proc/{}/root{}", tid, path->text);
  if (!is_at || directory == AT_FDCWD) return fmt::format("/proc/{}/cwd/{}", tid, path->text);
  std::string folder = fmt::format("/proc/{}/fd/{}", tid, directory);
  return path->text.empty() ? folder : fmt::format("{}/{}", folder, path->text);
}

bool would_lose_rights(uint32_t tid, const CallInProgress& call) {
  if (geteuid() == 0) return false;
  std::string path = program_to_execute(tid, call);
  return !path.empty() && examine_program(path).kind == ProgramKind::privileged;
}

}  // namespace culprit
