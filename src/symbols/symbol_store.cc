#include "symbols/symbol_store.h"

#include <sys/auxv.h>
#include <zlib.h>

#include <algorithm>
#include <filesystem>

#include "base/regular_file.h"
#include "base/syscall.h"
#include "format/procfs.h"

namespace culprit {
namespace {

using FilePtr = std::unique_ptr<SymbolFile>;

constexpr std::string_view deleted_mark = " (deleted)";  // the kernel's, after the path of an unlinked file

Result<FilePtr> open_symbol_file(const std::string& path) {
  auto mapping = map_regular_file(path);
  if (!mapping) return tl::unexpected<Error>(std::move(mapping).error());
  auto parsed = parse_elf(mapping->bytes());
  if (!parsed) return tl::unexpected<Error>(std::move(parsed).error());
  auto file = std::make_unique<SymbolFile>();
  file->path = path;
  file->mapping = std::move(*mapping);
  file->elf = std::move(*parsed);
  return file;
}

// Every process of one kernel has the same vdso, so that our own stands for that of the target if the build ids agree.
Result<FilePtr> open_own_vdso() {
  uint64_t start = ::getauxval(AT_SYSINFO_EHDR);
  auto maps = read_whole_file("/proc/self/maps");
  if (!maps) return tl::unexpected<Error>(std::move(maps).error());
  auto entries = parse_maps(*maps);
  auto at = std::find_if(entries.begin(), entries.end(), [&](const MapsEntry& entry) { return entry.start == start; });
  if (start == 0 || at == entries.end()) return fail(ErrorKind::not_found, "this process has no vdso");
  auto file = std::make_unique<SymbolFile>();
  file->path = "[vdso]";
  file->copy.assign(reinterpret_cast<const char*>(start), at->end - at->start);
  auto parsed = parse_elf(as_bytes(file->copy));
  if (!parsed) return tl::unexpected<Error>(std::move(parsed).error());
  file->elf = std::move(*parsed);
  return file;
}

bool is_build_id(std::string_view text) {
  return text.size() > 2 && text.size() <= 128 && text.find_first_not_of("0123456789abcdef") == text.npos;
}

// The module's own file where it was opened, else at the recorded path, or why not.
FilePtr find_own_file(const Module& module, const std::string& sysroot, std::string& problem) {
  bool is_vdso = module.path == "[vdso]";
  if (!is_vdso && !module.path.starts_with('/')) {
    problem = "it was not loaded from a file";
    return nullptr;
  }
  const bool is_opened = !is_vdso && !module.opened_path.empty();
  if (module.path.ends_with(deleted_mark) && !is_opened) {
    problem = "its file had been deleted";
    return nullptr;
  }
  auto file = is_vdso ? open_own_vdso() : open_symbol_file(is_opened ? module.opened_path : sysroot + module.path);
  if (!file) {
    problem = file.error().kind == ErrorKind::not_found ? "its file is not here" : file.error().what;
    return nullptr;
  }
  std::string build_id = (*file)->elf.build_id();
  if (!module.build_id.empty() && build_id != module.build_id) {
    problem = "the file here is another build (build id " + (build_id.empty() ? "none" : build_id) + ", recorded was " +
              module.build_id + ")";
    return nullptr;
  }
  return std::move(*file);
}

// A debug file counts only if it is proven to belong to the module: by build id, or else by the link's checksum.
bool belongs(const SymbolFile& debug, const std::string& build_id, const DebugLink* link) {
  if (std::string its_build_id = debug.elf.build_id(); !build_id.empty() && !its_build_id.empty()) {
    return its_build_id == build_id;
  }
  if (link == nullptr) return false;
  Bytes bytes = debug.mapping.bytes();
  return ::crc32_z(0, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()) == link->crc;
}

FilePtr open_if_it_belongs(const std::string& path, const std::string& build_id, const DebugLink* link,
                           std::string& problem) {
  auto file = open_symbol_file(path);
  if (!file) {
    if (file.error().kind != ErrorKind::not_found) problem = file.error().what;
    return nullptr;
  }
  if (!belongs(**file, build_id, link)) {
    problem = path + " is of another build";
    return nullptr;
  }
  return std::move(*file);
}

// The debug directories, first as the module's own file system has them, if that is another one ("/proc/PID/root").
std::vector<std::string> directories_for(const Module& module, const SymbolOptions& options) {
  std::vector<std::string> found;
  if (module.opened_path.size() > module.path.size() && module.opened_path.ends_with(module.path)) {
    std::string root = module.opened_path.substr(0, module.opened_path.size() - module.path.size());
    for (const std::string& debug : options.debug_directories) found.push_back(root + debug);
  }
  for (const std::string& debug : options.debug_directories) found.push_back(options.sysroot + debug);
  return found;
}

// GDB manual, "Separate Debug Files": beside the module, in .debug/ beside it, in each debug directory under its path.
std::vector<std::string> linked_places(const SymbolFile& own, const Module& module, const DebugLink& link,
                                       const std::vector<std::string>& debug_directories) {
  namespace fs = std::filesystem;
  // A name, not a path: a hostile module must not choose among all files.
  std::string name = fs::path(link.file_name).filename();
  if (name.empty()) return {};
  fs::path directory = fs::path(own.path).parent_path();
  std::vector<std::string> places = {directory / name, directory / ".debug" / name};
  for (const std::string& debug : debug_directories)
    places.push_back(debug + fs::path(module.path).parent_path().string() + "/" + name);
  return places;
}

}  // namespace

bool has_debug_info(const ElfFile& file) {
  const ElfSection* section = file.section(".debug_info");
  return section != nullptr && !section->data.empty();
}

SymbolStore::SymbolStore(SymbolOptions options) : options_(std::move(options)), debuginfod_(options_.debuginfod) {}

FoundFiles SymbolStore::find(const Module& module) {
  FoundFiles found;
  found.module = find_own_file(module, options_.sysroot, found.module_problem);
  if (found.module == nullptr && debuginfod_.enabled() && is_build_id(module.build_id)) {
    if (auto path = debuginfod_.fetch(module.build_id, DebuginfodFile::executable)) {
      if (auto file = open_symbol_file(*path)) found.module = std::move(*file);
    }
  }
  if (found.module == nullptr || !has_debug_info(found.module->elf)) {
    found.debug = find_debug_file(module, found.module.get(), found.debug_problem);
  }
  return found;
}

FilePtr SymbolStore::find_debug_file(const Module& module, const SymbolFile* own, std::string& problem) {
  std::string build_id = own != nullptr ? own->elf.build_id() : module.build_id;
  bool has_build_id = is_build_id(build_id);
  std::vector<std::string> directories = directories_for(module, options_);
  if (has_build_id) {
    for (const std::string& directory : directories) {
      std::string path = directory + "/.build-id/" + build_id.substr(0, 2) + "/" + build_id.substr(2) + ".debug";
      if (auto file = open_if_it_belongs(path, build_id, nullptr, problem)) return file;
    }
  }
  // Without the module's own file nobody knows the link.
  if (std::optional<DebugLink> link = own != nullptr ? own->elf.debug_link() : std::nullopt) {
    for (const std::string& path : linked_places(*own, module, *link, directories)) {
      if (path == own->path) continue;
      if (auto file = open_if_it_belongs(path, build_id, &*link, problem)) return file;
    }
  }
  if (has_build_id && debuginfod_.enabled()) {
    auto path = debuginfod_.fetch(build_id, DebuginfodFile::debuginfo);
    if (path) return open_if_it_belongs(*path, build_id, nullptr, problem);
    problem = path.error().what;
  }
  return nullptr;
}

}  // namespace culprit
