#include "capture/handle_count.h"

#include <dirent.h>
#include <fmt/core.h>
#include <sys/stat.h>

#include <memory>
#include <sstream>

#include "base/syscall.h"

namespace culprit {

std::optional<uint64_t> count_handles(uint32_t pid) {
  std::string path = fmt::format("/proc/{}/fd", pid);
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) return {};
  // Since Linux 6.2 the size of this folder is the number of its entries. Before, and with none open, it is 0.
  if (status.st_size > 0) return static_cast<uint64_t>(status.st_size);
  std::unique_ptr<DIR, int (*)(DIR*)> folder(opendir(path.c_str()), closedir);
  if (!folder) return {};
  uint64_t count = 0;
  while (dirent* entry = readdir(folder.get())) count += entry->d_name[0] != '.' ? 1 : 0;
  return count;
}

std::optional<MachineFiles> machine_files() {
  auto text = read_whole_file("/proc/sys/fs/file-nr", 256);
  if (!text) return {};
  std::istringstream words(*text);
  MachineFiles files;
  uint64_t unused = 0;
  if (!(words >> files.open >> unused >> files.most)) return {};
  return files;
}

}  // namespace culprit
