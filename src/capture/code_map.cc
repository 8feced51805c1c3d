#include "capture/code_map.h"

#include <algorithm>

namespace culprit {
namespace {

constexpr size_t version_limit = 8;
constexpr size_t code_limit = 65536;  // more mappings than the kernel lets a process have

const MappedCode* find_in(const std::vector<MappedCode>& code, uint64_t pc) {
  auto after = std::upper_bound(code.begin(), code.end(), pc,
                                [](uint64_t wanted, const MappedCode& piece) { return wanted < piece.start; });
  if (after == code.begin()) return nullptr;
  const MappedCode& candidate = *std::prev(after);
  return pc < candidate.end ? &candidate : nullptr;
}

}  // namespace

void CodeMap::read(uint32_t pid, std::string_view maps_text, uint32_t generation, ModuleFiles& files) {
  set(pid, parse_maps(maps_text), generation, files);
}

void CodeMap::set(uint32_t pid, const std::vector<MapsEntry>& entries, uint32_t generation, ModuleFiles& files) {
  std::vector<MappedCode> code;
  for (const MapsEntry& entry : entries) {
    if (!entry.is_executable || entry.start >= entry.end || code.size() >= code_limit) continue;
    if (!code.empty() && entry.start < code.back().end) continue;
    if (entry.path == "[vsyscall]") continue;
    MappedCode piece{entry.start, entry.end, 0, files.of(pid, entry)};
    if (piece.file != nullptr) {
      auto bias = load_bias(piece.file->segments, entry.start, entry.offset);
      // Without segments to go by: the file was mapped in one piece.
      piece.bias = bias ? *bias : entry.start - entry.offset;
    }
    code.push_back(piece);
  }
  add(generation, std::move(code));
}

void CodeMap::add(uint32_t generation, std::vector<MappedCode> code) {
  while (!versions_.empty() && versions_.back().generation >= generation) versions_.pop_back();
  versions_.push_back({generation, std::move(code)});
  if (versions_.size() > version_limit) versions_.pop_front();
}

void CodeMap::forget(uint64_t start, uint64_t end, uint32_t generation) {
  std::vector<MappedCode> rest = newest();
  std::erase_if(rest, [&](const MappedCode& piece) { return piece.start < end && start < piece.end; });
  add(generation, std::move(rest));
}

const MappedCode* CodeMap::find(uint64_t pc, uint32_t generation) const {
  for (auto version = versions_.begin(); version != versions_.end(); ++version) {
    bool is_last_not_later = version->generation <= generation &&
                             (std::next(version) == versions_.end() || std::next(version)->generation > generation);
    if (version->generation < generation && !is_last_not_later) continue;
    if (const MappedCode* found = find_in(version->code, pc)) return found;
  }
  return nullptr;
}

Frame frame_in(const MappedCode* code, uint64_t address, FoundBy found_by) {
  Frame frame{ModuleId::none, address, found_by};
  if (code != nullptr && code->file != nullptr) {
    frame.module = code->file->id;
    frame.offset = address - code->bias;
  }
  return frame;
}

Frame CodeMap::frame_at(uint64_t address, FoundBy found_by) const {
  return frame_in(find_in(newest(), address_inside(address, found_by)), address, found_by);
}

const std::vector<MappedCode>& CodeMap::newest() const {
  static const std::vector<MappedCode> none;
  return versions_.empty() ? none : versions_.back().code;
}

}  // namespace culprit
