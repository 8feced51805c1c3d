#include "capture/watch_filter.h"

#include <dirent.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "base/syscall.h"
#include "format/procfs.h"

namespace culprit {
namespace {

constexpr std::string_view cgroup_root = "/sys/fs/cgroup";
constexpr size_t name_bytes = 15;  // of /proc/PID/comm

std::string without_trailing_slashes(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

Result<BpfFilter::Cgroup> cgroup_at(const std::string& given) {
  std::string path = without_trailing_slashes(given);
  if (!path.starts_with(cgroup_root))
    return fail(ErrorKind::usage, fmt::format("{}: a cgroup is named by its folder below {}", given, cgroup_root));
  struct stat info {};
  if (stat(path.c_str(), &info) != 0 || !S_ISDIR(info.st_mode))
    return fail(ErrorKind::not_found, fmt::format("there is no cgroup {}", given));
  auto level = std::count(path.begin() + static_cast<long>(cgroup_root.size()), path.end(), '/');
  return BpfFilter::Cgroup{info.st_ino, static_cast<uint32_t>(level)};
}

std::vector<uint32_t> all_processes() {
  std::vector<uint32_t> pids;
  std::unique_ptr<DIR, int (*)(DIR*)> directory(opendir("/proc"), closedir);
  while (dirent* entry = directory ? readdir(directory.get()) : nullptr) {
    int pid = atoi(entry->d_name);
    if (pid > 0 && pid != getpid()) pids.push_back(static_cast<uint32_t>(pid));
  }
  std::ranges::sort(pids);
  return pids;
}

// Kernel threads have no executable; that of a program may be kept secret even from root.
bool is_program(uint32_t pid) {
  char path[8];
  return readlink(fmt::format("/proc/{}/exe", pid).c_str(), path, sizeof(path)) > 0 || errno != ENOENT;
}

bool is_in_cgroup(uint32_t pid, const std::vector<std::string>& cgroups) {
  if (cgroups.empty()) return false;
  auto text = read_whole_file(fmt::format("/proc/{}/cgroup", pid), 65536);
  if (!text) return false;
  size_t unified = text->starts_with("0::") ? 0 : text->find("\n0::");
  if (unified == std::string::npos) return false;
  unified = text->find("0::", unified) + 3;
  std::string path = text->substr(unified, text->find('\n', unified) - unified);
  return std::ranges::any_of(cgroups, [&](const std::string& given) {
    std::string wanted = without_trailing_slashes(given).substr(cgroup_root.size());
    return path == wanted || wanted.empty() || path.starts_with(wanted + "/");
  });
}

}  // namespace

Result<BpfFilter> bpf_filter_of(const WatchRequest& request) {
  BpfFilter filter;
  filter.all = request.all;
  filter.own_children = request.children;
  filter.users = request.users;
  filter.names = request.names;
  for (const std::string& path : request.cgroups) {
    auto cgroup = cgroup_at(path);
    if (!cgroup) return tl::unexpected<Error>(std::move(cgroup).error());
    filter.cgroups.push_back(*cgroup);
  }
  return filter;
}

std::vector<uint32_t> processes_meant(const WatchRequest& request) {
  std::vector<uint32_t> meant;
  for (uint32_t pid : all_processes()) {
    bool is_meant =
        request.all || std::ranges::find(request.pids, pid) != request.pids.end() || is_in_cgroup(pid, request.cgroups);
    if (!is_meant && (!request.users.empty() || !request.names.empty())) {
      auto text = read_whole_file(fmt::format("/proc/{}/status", pid), 16384);
      auto status = text ? parse_status(*text) : std::nullopt;
      is_meant = status && (std::ranges::find(request.users, status->effective_uid) != request.users.end() ||
                            std::ranges::any_of(request.names, [&](const std::string& name) {
                              return name.substr(0, name_bytes) == status->name;
                            }));
    }
    if (is_meant && is_program(pid)) meant.push_back(pid);
  }
  return meant;
}

}  // namespace culprit
