#include "capture/agent_file.h"

#include <dirent.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cstdlib>

#include "base/syscall.h"
#include "format/procfs.h"
#include "target/elf_copy.h"
#include "wire/agent_session.h"

namespace culprit {
namespace {

constexpr std::string_view library_name = "/libculprit_agent.so", wrappers_name = "/libculprit_agent_wrappers.so",
                           heap_name = "/libculprit_agent_heap.so", session_name = "/memfd:culprit-session";

uint64_t device_of(const MapsEntry& entry) { return makedev(entry.device_major, entry.device_minor); }

// As the kernel keeps it: what the program has made of its environment since does not show.
bool began_with_agent(uint32_t pid) {
  auto environment = read_whole_file(fmt::format("/proc/{}/environ", pid));
  if (!environment) return false;
  std::string variable = std::string(1, '\0') + CULPRIT_SESSION_VARIABLE "=";
  return environment->starts_with(std::string_view(variable).substr(1)) ||
         environment->find(variable) != std::string::npos;
}

void note_library(const MapsEntry& entry, const AgentFile& file, AgentPresence& found) {
  if (found.start == 0) found.start = entry.start;
  found.end = entry.end;
  found.is_this_file = !entry.is_deleted && entry.inode == file.inode && device_of(entry) == file.device;
  if (!entry.is_executable || !found.is_this_file) return;
  if (auto bias = load_bias(file.segments, entry.start, entry.offset)) found.bias = *bias;
}

}  // namespace

Result<AgentFile> AgentFile::open(const std::string& path) {
  AgentFile file;
  file.path = path;
  struct stat info {};
  CULPRIT_TRY(checked(fmt::format("find the agent library {}", path), [&] { return stat(path.c_str(), &info); }));
  file.device = info.st_dev;
  file.inode = info.st_ino;
  auto copy = copy_elf(path, ElfParts::exports);
  if (!copy) return tl::unexpected<Error>(copy.error());
  auto elf = parse_elf(copy->bytes());
  if (!elf) return tl::unexpected<Error>(elf.error());
  file.segments = elf->segments;
  for (const ElfSymbol& symbol : elf->function_symbols()) {
    if (symbol.name == "culprit_attach") file.attach = symbol.address;
    if (symbol.name == "culprit_call") file.call = symbol.address;
  }
  if (file.attach != 0 && file.call != 0) return file;
  return fail(ErrorKind::unsupported, fmt::format("{} is no agent library of this version", path));
}

Result<AgentPresence> find_agent(uint32_t pid, const AgentFile& file) {
  auto text = read_whole_file(fmt::format("/proc/{}/maps", pid));
  if (!text) return tl::unexpected<Error>(text.error());
  AgentPresence found;
  for (const MapsEntry& entry : parse_maps(*text)) {
    if (entry.path.ends_with(library_name)) note_library(entry, file, found);
    if (entry.path.ends_with(wrappers_name) || entry.path.ends_with(heap_name)) found.has_wrappers = true;
    if (!entry.path.starts_with(session_name)) continue;
    found.session.push_back({entry.start, entry.end});
    found.session_inode = entry.inode;
  }
  found.began_with_it = found.start != 0 && began_with_agent(pid);
  return found;
}

std::vector<uint32_t> processes_of_session(uint64_t session_inode) {
  std::vector<uint32_t> found;
  DIR* folder = opendir("/proc");
  if (folder == nullptr) return found;
  while (const dirent* entry = readdir(folder)) {
    auto pid = static_cast<uint32_t>(strtoul(entry->d_name, nullptr, 10));
    if (pid == 0 || pid == static_cast<uint32_t>(getpid())) continue;
    auto text = read_whole_file(fmt::format("/proc/{}/maps", pid));
    if (!text || text->find(session_name) == std::string::npos) continue;
    for (const MapsEntry& mapping : parse_maps(*text)) {
      if (mapping.inode != session_inode || !mapping.path.starts_with(session_name)) continue;
      found.push_back(pid);
      break;
    }
  }
  closedir(folder);
  return found;
}

}  // namespace culprit
