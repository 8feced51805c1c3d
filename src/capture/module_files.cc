#include "capture/module_files.h"

#include <sys/stat.h>

#include "target/elf_copy.h"
#include "target/reachable_path.h"

namespace culprit {
namespace {

std::string_view base_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

}  // namespace

bool ModuleFile::is_patchable() const {
  std::string_view name = base_name(path);
  auto is_versioned = [&](std::string_view prefix) { return name.starts_with(prefix) && name.ends_with(".so"); };
  return name == "libc.so.6" || name.starts_with("ld-linux-x86-64.so") || is_versioned("libc-2.") ||
         is_versioned("ld-2.");
}

ModuleId ModuleFiles::intern(const std::string& path, const std::string& build_id) {
  auto [place, is_new] = ids_.try_emplace({path, build_id}, id_at<ModuleId>(tables_.modules.size()));
  if (is_new) tables_.modules.push_back({path, build_id});
  return place->second;
}

ModuleFile& ModuleFiles::examine(const MapsEntry& entry, std::string opened_path) {
  ModuleFile& file = files_.emplace_back();
  file.path = entry.path;
  file.opened_path = std::move(opened_path);
  std::string build_id;
  auto copy = copy_elf(file.opened_path, ElfParts::headers);
  if (copy) {
    if (auto elf = parse_elf(copy->bytes())) {
      build_id = elf->build_id();
      file.segments = elf->segments;
      file.entry = elf->entry;
      file.interpreter = elf->interpreter();
      file.size = copy->size();
    }
  }
  file.id = intern(file.path, build_id);
  return file;
}

ModuleFile* ModuleFiles::of(uint32_t pid, const MapsEntry& entry) {
  bool is_vdso = entry.path == "[vdso]";
  if (!is_vdso && !entry.path.starts_with("/")) return nullptr;
  struct stat info {};
  std::string path = is_vdso ? entry.path : reachable_path(pid, entry, info);
  Key key{uint64_t{entry.device_major} << 32 | entry.device_minor, entry.inode, entry.path,
          static_cast<uint64_t>(info.st_size), info.st_mtim.tv_sec * 1'000'000'000 + info.st_mtim.tv_nsec};
  auto [place, is_new] = by_key_.try_emplace(std::move(key), nullptr);
  if (is_new) place->second = &examine(entry, std::move(path));
  return place->second;
}

std::optional<UnwindTable> build_unwind_table(const ModuleFile& file) {
  auto copy = copy_elf(file.opened_path, ElfParts::unwind);
  if (!copy) return std::nullopt;
  auto table = build_unwind_table(copy->bytes());
  return table ? std::optional(std::move(*table)) : std::nullopt;
}

}  // namespace culprit
