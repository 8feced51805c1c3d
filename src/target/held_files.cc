#include "target/held_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <set>

#include "base/syscall.h"
#include "format/procfs.h"
#include "target/reachable_path.h"

namespace culprit {
namespace {

constexpr size_t most_held = 256;  // of the 1024 handles that we may have

// Where the kernel alone knows it. Empty: a path still leads to it, or it is no file that can be read.
std::string kernels_link(uint32_t pid, const MapsEntry& entry) {
  struct stat info {};
  std::string found = reachable_path(pid, entry, info);
  bool has_path = found == entry.path || found.starts_with(fmt::format("/proc/{}/root/", pid));
  return has_path || !S_ISREG(info.st_mode) ? "" : found;
}

}  // namespace

std::string HeldFile::place() const { return fmt::format("/proc/{}/fd/{}", ::getpid(), file.get()); }

std::vector<HeldFile> hold_gone_files(uint32_t pid) {
  std::vector<HeldFile> held;
  auto maps = read_whole_file(fmt::format("/proc/{}/maps", pid));
  if (!maps) return held;
  std::set<std::tuple<uint32_t, uint32_t, uint64_t>> seen;
  for (const MapsEntry& entry : parse_maps(*maps)) {
    if (!entry.is_executable || !entry.path.starts_with('/') || held.size() == most_held) continue;
    if (!seen.insert({entry.device_major, entry.device_minor, entry.inode}).second) continue;
    std::string link = kernels_link(pid, entry);
    if (link.empty()) continue;
    if (auto file = open_file(link, O_RDONLY)) held.push_back({entry.path, std::move(*file)});
  }
  return held;
}

}  // namespace culprit
