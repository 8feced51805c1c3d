#include "target/reachable_path.h"

#include <fmt/core.h>

namespace culprit {
namespace {

bool is_same_file(const struct stat& a, const struct stat& b) { return a.st_ino == b.st_ino && a.st_dev == b.st_dev; }

}  // namespace

// The process may live in another mount namespace, where the path means another file. Ours, where it is the same, is
// there after the process, too.
std::string reachable_path(uint32_t pid, const MapsEntry& entry, struct stat& info) {
  std::string inside = fmt::format("/proc/{}/root{}", pid, entry.path);
  struct stat ours {};
  bool is_inside = stat(inside.c_str(), &info) == 0 && info.st_ino == entry.inode;
  bool is_ours = stat(entry.path.c_str(), &ours) == 0 && ours.st_ino == entry.inode;
  if (is_ours && (!is_inside || is_same_file(info, ours))) {
    info = ours;
    return entry.path;
  }
  if (is_inside) return inside;
  // What has been deleted lives on behind the kernel's own links.
  for (const std::string& link :
       {fmt::format("/proc/{}/map_files/{:x}-{:x}", pid, entry.start, entry.end), fmt::format("/proc/{}/exe", pid)})
    if (stat(link.c_str(), &info) == 0 && info.st_ino == entry.inode) return link;
  info = {};
  return "";
}

}  // namespace culprit
