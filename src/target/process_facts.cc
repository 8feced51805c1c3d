#include "target/process_facts.h"

#include <fmt/core.h>
#include <sys/stat.h>

#include <algorithm>

#include "base/syscall.h"

namespace culprit {

std::string process_name(uint32_t pid) {
  auto name = read_whole_file(fmt::format("/proc/{}/comm", pid), 64);
  if (!name) return "";
  if (name->ends_with('\n')) name->pop_back();
  return *name;
}

std::string process_command(uint32_t pid) {
  constexpr size_t longest = 4096;
  auto command = read_whole_file(fmt::format("/proc/{}/cmdline", pid), longest);
  if (!command) return "";
  while (command->ends_with('\0')) command->pop_back();
  std::ranges::replace(*command, '\0', ' ');
  return *command;
}

std::optional<ProcessStat> process_stat(uint32_t pid) {
  auto text = read_whole_file(fmt::format("/proc/{}/stat", pid), 4096);
  return text ? parse_stat(*text) : std::nullopt;
}

bool is_in_other_namespace(uint32_t pid, const char* kind) {
  struct stat ours {
  }, theirs{};
  if (stat(fmt::format("/proc/self/ns/{}", kind).c_str(), &ours) != 0) return false;
  if (stat(fmt::format("/proc/{}/ns/{}", pid, kind).c_str(), &theirs) != 0) return false;
  return ours.st_ino != theirs.st_ino || ours.st_dev != theirs.st_dev;
}

}  // namespace culprit
