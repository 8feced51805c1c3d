#include "capture/told_code.h"

#include <elf.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <climits>
#include <cstdlib>
#include <memory>

namespace culprit {
namespace {

constexpr uint64_t page = 4096;
constexpr uint64_t vdso_size = 2 * page;
uint64_t page_floor(uint64_t address) { return address / page * page; }
uint64_t page_ceiling(uint64_t address) { return page_floor(address + page - 1); }

// The loader's own entry: /proc/PID/maps shows no symbolic links.
MapsEntry loader_entry(const std::string& interpreter) {
  MapsEntry entry;
  std::unique_ptr<char, decltype(&free)> real(realpath(interpreter.c_str(), nullptr), free);
  struct stat info {};
  if (real == nullptr || stat(real.get(), &info) != 0) return entry;
  entry.path = real.get();
  entry.inode = info.st_ino;
  entry.device_major = major(info.st_dev);
  entry.device_minor = minor(info.st_dev);
  return entry;
}

}  // namespace

std::string path_of_components(std::string_view components) {
  std::string path;
  while (!components.empty()) {
    size_t end = std::min(components.find('\0'), components.size());
    path = "/" + std::string(components.substr(0, end)) + path;
    components.remove_prefix(std::min(end + 1, components.size()));
  }
  return path;
}

void ToldCode::begin(std::span<const uint64_t> auxiliary_vector) {
  *this = ToldCode();
  for (size_t i = 0; i + 1 < auxiliary_vector.size() && auxiliary_vector[i] != AT_NULL; i += 2) {
    uint64_t value = auxiliary_vector[i + 1];
    if (auxiliary_vector[i] == AT_ENTRY) program_entry_ = value;
    if (auxiliary_vector[i] == AT_BASE) loader_base_ = value;
    if (auxiliary_vector[i] == AT_SYSINFO_EHDR) vdso_ = value;
  }
}

void ToldCode::add(std::span<const uint64_t> words, uint64_t inode, std::string_view components) {
  if (words.size() < 4) return;
  MapsEntry entry;
  entry.start = words[0];
  entry.end = page_ceiling(words[1]);
  entry.offset = words[2];
  entry.inode = inode;
  entry.device_major = static_cast<uint32_t>(words[3] >> 20);  // the kernel's own dev_t
  entry.device_minor = static_cast<uint32_t>(words[3] & 0xfffff);
  entry.is_readable = entry.is_executable = true;
  entry.path = path_of_components(components);
  if (entry.start == 0) {
    program_ = std::move(entry);
    return;
  }
  if (entry.start >= entry.end) return;
  remove(entry.start, entry.end);
  mapped_[entry.start] = std::move(entry);
}

void ToldCode::begin(const std::vector<MapsEntry>& maps) {
  *this = ToldCode();
  for (const MapsEntry& entry : maps) {
    if (entry.is_executable && entry.start < entry.end) mapped_[entry.start] = entry;
  }
}

void ToldCode::remove(uint64_t start, uint64_t end) {
  auto entry = mapped_.upper_bound(start);
  if (entry != mapped_.begin()) --entry;
  while (entry != mapped_.end() && entry->second.start < end) {
    MapsEntry old = entry->second;
    if (old.end <= start) {
      ++entry;
      continue;
    }
    entry = mapped_.erase(entry);
    if (old.start < start) {
      MapsEntry before = old;
      before.end = start;
      mapped_[before.start] = before;
    }
    if (old.end > end) {
      MapsEntry after = old;
      after.offset += end - old.start;
      after.start = end;
      mapped_[after.start] = after;
    }
  }
}

void ToldCode::add_segments(std::vector<MapsEntry>& entries, const MapsEntry& file, const ModuleFile& module,
                            uint64_t bias) const {
  for (const ElfSegment& segment : module.segments) {
    if (!segment.is_code()) continue;
    MapsEntry entry = file;
    entry.start = page_floor(segment.address + bias);
    entry.end = page_ceiling(segment.address + segment.memory_size + bias);
    entry.offset = page_floor(segment.offset);
    entry.is_readable = entry.is_executable = true;
    entries.push_back(std::move(entry));
  }
}

std::vector<MapsEntry> ToldCode::entries(uint32_t pid, ModuleFiles& files) const {
  std::vector<MapsEntry> entries;
  for (const auto& [start, entry] : mapped_) entries.push_back(entry);
  const ModuleFile* program = program_.path.empty() ? nullptr : files.of(pid, program_);
  if (program != nullptr && program->entry != 0) {
    add_segments(entries, program_, *program, program_entry_ - program->entry);
    MapsEntry loader =
        program->interpreter.empty() || loader_base_ == 0 ? MapsEntry{} : loader_entry(program->interpreter);
    if (!loader.path.empty()) {
      if (const ModuleFile* module = files.of(pid, loader)) add_segments(entries, loader, *module, loader_base_);
    }
  }
  if (vdso_ != 0) {
    MapsEntry vdso;
    vdso.start = vdso_;
    vdso.end = vdso_ + vdso_size;
    vdso.is_readable = vdso.is_executable = true;
    vdso.path = "[vdso]";
    entries.push_back(std::move(vdso));
  }
  std::ranges::sort(entries, {}, &MapsEntry::start);
  return entries;
}

}  // namespace culprit
