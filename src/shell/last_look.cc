#include "shell/last_look.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/syscall.h"
#include "target/process_facts.h"

namespace culprit {
namespace {

bool is_same_file(const struct stat& one, const struct stat& other) {
  return one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

Fd other_root(uint32_t pid) {
  auto root = open_file(fmt::format("/proc/{}/root", pid), O_PATH | O_DIRECTORY);
  struct stat its {
  }, ours{};
  bool is_other = root && ::fstat(root->get(), &its) == 0 && ::stat("/", &ours) == 0 && !is_same_file(its, ours);
  return is_other ? std::move(*root) : Fd();
}

}  // namespace

std::string LastLook::root_path() const { return root ? fmt::format("/proc/{}/fd/{}", ::getpid(), root.get()) : ""; }

SearchPlaces LastLook::places() const {
  SearchPlaces places;
  places.root = root_path();
  for (const HeldFile& file : files) places.held.push_back({file.path, file.place()});
  return places;
}

SymbolOptions LastLook::symbol_options() const {
  SymbolOptions options;
  if (std::string path = root_path(); !path.empty())
    options.debug_directories.insert(options.debug_directories.begin(), path + "/usr/lib/debug");
  return options;
}

LastLook look_at_last(uint32_t pid) {
  LastLook look;
  if (pid == 0) return look;
  look.name = process_name(pid);
  look.use = look_at_use(pid);
  look.root = other_root(pid);
  look.files = hold_gone_files(pid);
  return look;
}

}  // namespace culprit
