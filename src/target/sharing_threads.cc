#include "target/sharing_threads.h"

#include <dirent.h>
#include <fmt/core.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "base/syscall.h"
#include "format/fields.h"
#include "format/procfs.h"
#include "target/pid_namespace.h"
#include "target/ptrace_threads.h"

namespace culprit {

namespace {

std::vector<uint32_t> all_processes() {
  std::vector<uint32_t> processes;
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(opendir("/proc"), closedir);
  while (const dirent* entry = folder != nullptr ? readdir(folder.get()) : nullptr)
    if (auto pid = leading_number<uint32_t>(entry->d_name)) processes.push_back(*pid);
  return processes;
}

std::optional<std::vector<MapsEntry>> mappings_of(uint32_t pid) {
  auto text = read_whole_file(fmt::format("/proc/{}/maps", living_thread(pid)));
  if (text) return parse_maps(*text);
  return text.error().kind == ErrorKind::no_access ? std::nullopt : std::optional(std::vector<MapsEntry>{});
}

}  // namespace

SharingSearch find_sharing_threads(uint32_t pid, uint64_t address, uint32_t own_number) {
  SharingSearch search;
  auto own = mappings_of(pid);
  if (!own) return {{}, false};
  auto shared =
      std::ranges::find_if(*own, [&](const MapsEntry& entry) { return entry.start <= address && address < entry.end; });
  if (shared == own->end()) return {{}, false};
  const uint64_t place = address - shared->start + shared->offset;
  auto is_same = [&](const MapsEntry& entry) {
    return entry.is_shared && entry.inode == shared->inode && entry.device_major == shared->device_major &&
           entry.device_minor == shared->device_minor && entry.offset <= place &&
           place - entry.offset < entry.end - entry.start;
  };
  for (uint32_t other : all_processes()) {
    if (other == pid) continue;
    auto mappings = mappings_of(other);
    search.are_all_known &= mappings.has_value();
    if (!mappings || std::ranges::none_of(*mappings, is_same)) continue;
    const auto threads = threads_by_own_number(other);
    if (auto found = threads.find(own_number); found != threads.end()) search.threads.push_back({other, found->second});
  }
  return search;
}

}  // namespace culprit
