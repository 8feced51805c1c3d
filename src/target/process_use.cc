#include "target/process_use.h"

#include <fmt/core.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/syscall.h"
#include "format/cgroup.h"
#include "format/process_status.h"
#include "format/procfs.h"
#include "target/handle_links.h"

namespace culprit {
namespace {

std::string text_of(const std::string& path) { return read_whole_file(path, 1 << 20).value_or(""); }

std::optional<uint64_t> soft_limit(uint32_t pid, __rlimit_resource resource) {
  rlimit limit{};
  bool is_known = prlimit(static_cast<pid_t>(pid), resource, nullptr, &limit) == 0;
  return is_known && limit.rlim_cur != RLIM_INFINITY ? std::optional<uint64_t>(limit.rlim_cur) : std::nullopt;
}

void look_at_handles(uint32_t pid, ProcessUse& use) {
  auto types = count_handle_types(pid);
  if (!types) return;
  for (const auto& [type, count] : *types) {
    use.handles[std::string(type)] = count;
    use.handle_count += count;
  }
  use.handle_limit = soft_limit(pid, RLIMIT_NOFILE);
}

void look_at_age(uint32_t pid, ProcessUse& use) {
  auto stat = parse_stat(text_of(fmt::format("/proc/{}/stat", pid)));
  use.machine_seconds = parse_uptime(text_of("/proc/uptime"));
  if (!stat || !use.machine_seconds) return;
  double began = static_cast<double>(stat->start_ticks) / static_cast<double>(sysconf(_SC_CLK_TCK));
  use.seconds = std::max(0.0, *use.machine_seconds - began);
}

// The memory that the agent shares with culprit.
uint64_t session_size(uint32_t pid) {
  uint64_t size = 0;
  for (const MapsEntry& entry : parse_maps(text_of(fmt::format("/proc/{}/maps", pid))))
    if (entry.path == "/memfd:culprit-session") size += entry.end - entry.start;
  return size;
}

void look_at_memory(uint32_t pid, ProcessUse& use) {
  MemoryUse memory = parse_memory_use(text_of(fmt::format("/proc/{}/status", pid)));
  use.resident = memory.resident;
  use.most_resident = memory.most_resident;
  use.swapped = memory.swapped;
  use.address_space = memory.address_space;
  if (use.address_space) *use.address_space -= std::min(*use.address_space, session_size(pid));
  use.address_space_limit = soft_limit(pid, RLIMIT_AS);
  use.data_limit = soft_limit(pid, RLIMIT_DATA);
}

void look_at_group(uint32_t pid, ProcessUse& use) {
  std::string groups = text_of(fmt::format("/proc/{}/cgroup", pid));
  std::string root = "/sys/fs/cgroup";
  if (auto path = cgroup_path(groups, "memory")) {  // version 1
    use.cgroup = *path;
    std::string folder = root + "/memory" + use.cgroup;
    use.cgroup_memory = cgroup_number(text_of(folder + "/memory.usage_in_bytes"));
    use.cgroup_limit = cgroup_number(text_of(folder + "/memory.limit_in_bytes"));
    use.oom_kills = cgroup_counter(text_of(folder + "/memory.oom_control"), "oom_kill");
  } else if (auto unified = cgroup_path(groups, "")) {
    use.cgroup = *unified;
    std::string folder = root + use.cgroup;
    use.cgroup_memory = cgroup_number(text_of(folder + "/memory.current"));
    use.cgroup_limit = cgroup_number(text_of(folder + "/memory.max"));
    use.oom_kills = cgroup_counter(text_of(folder + "/memory.events"), "oom_kill");
  }
  auto path = cgroup_path(groups, "pids");
  std::string folder = path ? root + "/pids" + std::string(*path) : root + use.cgroup;
  use.cgroup_processes = cgroup_number(text_of(folder + "/pids.current"));
  use.process_limit = cgroup_number(text_of(folder + "/pids.max"));
}

}  // namespace

ProcessUse look_at_use(uint32_t pid) {
  ProcessUse use;
  look_at_age(pid, use);
  look_at_handles(pid, use);
  look_at_memory(pid, use);
  look_at_group(pid, use);
  return use;
}

}  // namespace culprit
