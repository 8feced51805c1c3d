#include "target/live_space.h"

#include <fmt/core.h>

#include <algorithm>
#include <cerrno>

#include "base/syscall.h"
#include "target/elf_copy.h"
#include "target/ptrace_threads.h"
#include "target/reachable_path.h"

namespace culprit {
namespace {

constexpr size_t maps_limit = size_t{64} << 20;
constexpr uint64_t vdso_limit = 1 << 20;

bool is_same_file(const MapsEntry& a, const MapsEntry& b) {
  return a.inode == b.inode && a.device_major == b.device_major && a.device_minor == b.device_minor && a.path == b.path;
}

// Mappings of one file that stand one after the other, in the order of the file: loaded twice (dlmopen) it begins anew.
struct FileRun {
  size_t first = 0, last = 0;  // of the entries
  const MapsEntry* code = nullptr;
};

std::vector<FileRun> runs_of_files(const std::vector<MapsEntry>& entries) {
  std::vector<FileRun> files;
  for (size_t i = 0; i < entries.size(); ++i) {
    const MapsEntry& entry = entries[i];
    if (!entry.path.starts_with('/') && entry.path != "[vdso]") continue;
    bool is_next = !files.empty() && is_same_file(entries[files.back().last], entry) &&
                   entry.offset >= entries[files.back().last].offset;
    if (!is_next) files.push_back({i, i});
    files.back().last = i;
    if (entry.is_executable && files.back().code == nullptr) files.back().code = &entry;
  }
  std::erase_if(files, [](const FileRun& file) { return file.code == nullptr; });
  return files;
}

void read_headers(TargetModule& module, Bytes bytes, const MapsEntry& code) {
  auto elf = parse_elf(bytes);
  if (!elf) {
    module.missing = elf.error().what;
    return;
  }
  module.module.build_id = elf->build_id();
  module.segments = elf->segments;
  module.bias = load_bias(module.segments, code.start, code.offset).value_or(code.start - code.offset);
}

// Variables that begin as zeros follow the last mapping of the file, in one of no file.
uint64_t end_of_variables(const TargetModule& module, const MapsEntry& behind) {
  if (!behind.path.empty() || behind.start != module.end) return module.end;
  uint64_t end = module.end;
  for (const ElfSegment& segment : module.segments)
    if (segment.is_load()) end = std::max(end, module.bias + segment.address + segment.memory_size);
  return std::min(end, behind.end);
}

TargetModule examine(uint32_t pid, VictimMemory& memory, const MapsEntry& first, const MapsEntry& last,
                     const MapsEntry& code) {
  TargetModule module;
  module.module.path = code.path;
  module.start = first.start;
  module.end = last.end;
  module.bias = code.start - code.offset;
  if (code.path == "[vdso]") {
    std::vector<std::byte> image(std::min(module.end - module.start, vdso_limit));
    if (memory.read(module.start, image))
      read_headers(module, image, code);
    else
      module.missing = "it cannot be read";
    return module;
  }
  struct stat info {};
  module.opened_path = reachable_path(pid, code, info);
  if (module.opened_path.empty()) {
    module.missing = code.is_deleted ? "its file has been deleted, and reading it all the same takes "
                                       "CAP_CHECKPOINT_RESTORE"
                                     : "another file is at its path now";
    return module;
  }
  auto copy = copy_elf(module.opened_path, ElfParts::headers);
  if (copy) {
    read_headers(module, copy->bytes(), code);
  } else {
    module.missing = copy.error().what;
    module.opened_path.clear();
  }
  return module;
}

bool is_same_code(const MapsEntry& a, const MapsEntry& b) {
  return is_same_file(a, b) && a.start == b.start && a.end == b.end && a.offset == b.offset;
}

Error why_not_readable(uint32_t pid, const Error& error) {
  return why_not_traceable(pid, error.kind == ErrorKind::no_access ? EPERM : ESRCH);
}

}  // namespace

Result<LiveSpace> LiveSpace::open(uint32_t pid) {
  auto memory = VictimMemory::open(pid);
  if (!memory) return tl::unexpected<Error>(why_not_readable(pid, memory.error()));
  LiveSpace space(pid, std::move(*memory));
  CULPRIT_TRY(space.refresh());
  return space;
}

Result<void> LiveSpace::refresh() {
  if (auto memory = VictimMemory::open(pid_)) memory_ = std::move(*memory);
  auto text = read_whole_file(fmt::format("/proc/{}/maps", living_thread(pid_)), maps_limit);
  if (!text) return tl::unexpected<Error>(why_not_readable(pid_, text.error()));
  if (*text == maps_text_ && !modules_.empty()) return {};
  maps_text_ = std::move(*text);
  std::vector<MapsEntry> entries = parse_maps(maps_text_);
  mappings_.clear();
  for (const MapsEntry& entry : entries) {
    mappings_.push_back({entry.start, entry.end, entry.offset, entry.path, entry.is_readable, entry.is_writable,
                         entry.is_executable, entry.is_shared, entry.is_deleted});
  }
  find_modules(entries);
  return {};
}

void LiveSpace::find_modules(const std::vector<MapsEntry>& entries) {
  std::vector<FileRun> files = runs_of_files(entries);
  std::vector<MapsEntry> code;
  for (const FileRun& file : files) code.push_back(*file.code);
  if (!modules_.empty() && std::ranges::equal(code, code_, is_same_code)) return;
  std::vector<TargetModule> modules;
  for (const FileRun& file : files) {
    modules.push_back(examine(living_thread(pid_), memory_, entries[file.first], entries[file.last], *file.code));
    if (file.last + 1 < entries.size()) modules.back().end = end_of_variables(modules.back(), entries[file.last + 1]);
  }
  code_ = std::move(code);
  modules_.push_back(std::move(modules));
}

const TargetMapping* LiveSpace::mapping_at(uint64_t address) const {
  auto after = std::ranges::upper_bound(mappings_, address, {}, &TargetMapping::start);
  if (after == mappings_.begin()) return nullptr;
  const TargetMapping& mapping = *std::prev(after);
  return address < mapping.end ? &mapping : nullptr;
}

}  // namespace culprit
