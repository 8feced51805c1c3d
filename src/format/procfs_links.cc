// The links /proc/PID/fd/N.
#include <sys/stat.h>

#include <algorithm>
#include <span>

#include "format/fields.h"
#include "format/procfs.h"
#include "model/handle_event.h"

namespace culprit {

namespace {

using namespace handle_type;

struct TypeRow {
  std::string_view text;
  std::string_view type;
};

// "anon_inode:[x]"; some kernels and kinds leave the brackets out. Names as given to anon_inode_getfile() in the
// kernel.
constexpr TypeRow anonymous_types[] = {
    {"eventfd", eventfd},   {"eventpoll", epoll},        {"timerfd", timerfd},
    {"signalfd", signalfd}, {"inotify", inotify},        {"fanotify", fanotify},
    {"pidfd", pidfd},       {"perf_event", perf_event},  {"userfaultfd", userfaultfd},
    {"io_uring", io_uring}, {"seccomp notify", seccomp}, {"landlock-ruleset", landlock},
    {"fscontext", mount},   {"secretmem", memfd},        {"kvm-vm", kvm},
};

// Families of names: "bpf-prog", "bpf_link", "kvm-vcpu:0" …
constexpr TypeRow anonymous_prefixes[] = {{"bpf", bpf}, {"kvm", kvm}, {"btf", bpf}};

// "kind:[inode]" of sockfs, pipefs, nsfs and (since Linux 6.9) pidfs.
constexpr TypeRow numbered_types[] = {{"pidfd", pidfd},
                                      {"socket", socket},
                                      {"pipe", pipe},
                                      {"net", name_space},
                                      {"mnt", name_space},
                                      {"uts", name_space},
                                      {"ipc", name_space},
                                      {"pid", name_space},
                                      {"user", name_space},
                                      {"cgroup", name_space},
                                      {"time", name_space},
                                      {"pid_for_children", name_space},
                                      {"time_for_children", name_space}};

struct PathRow {
  std::string_view prefix;
  std::string_view type;
};
constexpr PathRow path_types[] = {
    {"/memfd:", memfd},      {"/secretmem", memfd},  {"/dmabuf:", dma_buf},      {"/dev/pts/", terminal},
    {"/dev/ptmx", terminal}, {"/dev/tty", terminal}, {"/dev/console", terminal}, {"/dev/mqueue/", message_queue},
    {"/dev/kvm", kvm},       {"/dev/shm/", file},    {"/dev/hugepages/", file},  {"/dev/", device},
};

std::string_view find_type(std::span<const TypeRow> rows, std::string_view text) {
  auto found = std::ranges::find(rows, text, &TypeRow::text);
  return found == rows.end() ? std::string_view{} : found->type;
}

FdTarget anonymous_target(std::string_view name) {
  if (name.starts_with('[') && name.ends_with(']')) name = name.substr(1, name.size() - 2);
  std::string_view type = find_type(anonymous_types, name);
  for (const TypeRow& row : anonymous_prefixes)
    if (type.empty() && name.starts_with(row.text)) type = row.type;
  return {.type = type.empty() ? other : type, .name = std::string(name)};
}

std::string_view type_by_mode(uint32_t mode) {
  switch (mode & S_IFMT) {
    case S_IFDIR:
      return directory;
    case S_IFCHR:
    case S_IFBLK:
      return device;
    case S_IFIFO:
      return fifo;
    case S_IFSOCK:
      return socket;
    case S_IFREG:
      return file;
    default:
      return {};
  }
}

FdTarget path_target(std::string_view path, uint32_t mode) {
  constexpr std::string_view deleted_mark = " (deleted)";
  FdTarget target;
  if (path.ends_with(deleted_mark)) {
    target.is_deleted = true;
    path.remove_suffix(deleted_mark.size());
  }
  target.name = path;
  auto row = std::ranges::find_if(path_types, [&](const PathRow& row) { return path.starts_with(row.prefix); });
  std::string_view by_path = row == std::end(path_types) ? std::string_view{} : row->type;
  std::string_view by_mode = type_by_mode(mode);
  // A path says more than the mode where both agree on what it may be: terminals are devices, message queues are files.
  bool is_vague = by_path.empty() || by_path == device || by_path == file;
  target.type = is_vague && !by_mode.empty() ? by_mode : by_path.empty() ? file : by_path;
  if (target.type == memfd) target.is_deleted = false;  // it never had a name to lose
  return target;
}

}  // namespace

FdTarget parse_fd_link(std::string_view link, uint32_t mode) {
  if (link.starts_with('/')) return path_target(link, mode);
  std::string_view rest = link;
  std::string_view kind = take_until(rest, ':');
  if (kind == "anon_inode") return anonymous_target(rest);
  std::string_view type = find_type(numbered_types, kind);
  if (!type.empty() && rest.starts_with('[')) {
    FdTarget target{.type = type};
    if (type == name_space) target.name = kind;
    read_number(rest.substr(1), target.inode);
    return target;
  }
  std::string_view by_mode = type_by_mode(mode);
  return {.type = by_mode.empty() ? other : by_mode, .name = std::string(link)};
}

}  // namespace culprit
