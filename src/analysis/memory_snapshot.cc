#include "analysis/memory_snapshot.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include <algorithm>

#include "base/syscall.h"
#include "base/text.h"
#include "format/fields.h"
#include "model/clock.h"
#include "target/present_pages.h"

namespace culprit {

namespace {

constexpr uint64_t page = 4096;
constexpr uint64_t at_once = 1 << 20;  // more does not make it faster

bool is_in_variables(Target& target, const TargetMapping& mapping) {
  const TargetModule* module = target.module_at(mapping.start);
  return module != nullptr && std::ranges::any_of(module->segments, [&](const ElfSegment& segment) {
           const uint64_t start = module->bias + segment.address;
           return segment.is_load() && (segment.flags & elf::segment_writable) != 0 && start < mapping.end &&
                  mapping.start < start + segment.memory_size;
         });
}

std::vector<AddressRange> with_pointers(Target& target) {
  std::vector<AddressRange> ranges;
  for (const TargetMapping& mapping : target.mappings())
    if (may_hold_pointers(target, mapping)) ranges.push_back({mapping.start, mapping.end});
  return ranges;
}

uint64_t bytes_present(Target& target, std::span<const AddressRange> ranges) {
  uint64_t bytes = 0;
  for (const AddressRange& range : ranges)
    for (const AddressRange& present : target.present_pages(range).ranges) bytes += present.end - present.start;
  return bytes;
}

// /proc/meminfo; nothing: not known.
std::optional<uint64_t> available_memory() {
  const std::string text = read_whole_file("/proc/meminfo").value_or("");
  constexpr std::string_view key = "MemAvailable:";
  const size_t at = text.find(key);
  if (at == std::string::npos) return {};
  auto kilobytes = leading_number<uint64_t>(without_leading_space(std::string_view(text).substr(at + key.size())));
  return kilobytes ? std::optional(*kilobytes * 1024) : std::nullopt;
}

}  // namespace

bool may_hold_pointers(Target& target, const TargetMapping& mapping) {
  if (!mapping.is_readable || mapping.path.starts_with("/memfd:culprit-session")) return false;
  // Devices are left alone: reading them may do something.
  if (mapping.path.starts_with("/dev/dri") || mapping.path.starts_with("/dev/nvidia")) return false;
  if (mapping.is_writable) return true;
  if (mapping.is_shared) return false;
  const bool is_anonymous = mapping.path.empty() || mapping.path == "[heap]" || mapping.path.starts_with("[anon");
  if (is_anonymous) return true;
  return target.module_at(mapping.start) != nullptr ? is_in_variables(target, mapping) : was_written(target, mapping);
}

Result<MemorySnapshot> MemorySnapshot::make_room(Target& target) {
  const uint64_t wanted = bytes_present(target, with_pointers(target));
  return with_room(wanted + wanted / 16 + (uint64_t{4} << 20));
}

Result<MemorySnapshot> MemorySnapshot::of(Target& target, std::span<const AddressRange> ranges) {
  auto snapshot = with_room(bytes_present(target, ranges) + page);
  if (!snapshot) return snapshot;
  for (const AddressRange& range : ranges) snapshot->copy_range(target, range, no_deadline);
  return snapshot;
}

Result<MemorySnapshot> MemorySnapshot::with_room(uint64_t size) {
  // The others on this machine need some, too.
  if (auto available = available_memory(); available && size > *available / 4 * 3)
    return fail(
        ErrorKind::limit,
        fmt::format("a copy of the process's memory takes {}, and only {} are free: make a core of it (gcore) and "
                    "ask that, here or elsewhere",
                    bytes_in_words(size), bytes_in_words(*available)));
  void* start = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (start == MAP_FAILED)
    return fail(ErrorKind::limit, fmt::format("no address space for a copy of {}", bytes_in_words(size)));
  MemorySnapshot snapshot;
  snapshot.room_ = Mapping(start, size);
  madvise(start, size, MADV_HUGEPAGE);
  // The pages are there before the process is stopped.
  madvise(start, size, MADV_POPULATE_WRITE);
  return snapshot;
}

void MemorySnapshot::copy_piece(MemoryReader& memory, AddressRange range) {
  for (uint64_t at = range.start, size = 0; at < range.end; at += size) {
    size = std::min(at_once, range.end - at);
    if (size > room_.size() - used_) {
      left_out_ += range.end - at;
      return;
    }
    std::byte* into = room_.data() + used_;
    if (!memory.read(at, {into, size})) {
      size = std::min(size, page - at % page);
      if (!memory.read(at, {into, size})) {
        left_out_ += size;
        continue;
      }
    }
    const bool goes_on = !pieces_.empty() && pieces_.back().end() == at &&
                         pieces_.back().bytes.data() + pieces_.back().bytes.size() == into;
    if (goes_on)
      pieces_.back().bytes = {pieces_.back().bytes.data(), pieces_.back().bytes.size() + size};
    else
      pieces_.push_back({at, {into, size}});
    used_ += size;
  }
}

void MemorySnapshot::copy_range(Target& target, AddressRange range, Time deadline) {
  constexpr uint64_t between_looks = 16 << 20;
  if (monotonic_now() >= deadline) return rest_.push_back(range);
  for (AddressRange present : target.present_pages(range).ranges) {
    for (; present.start < present.end; present.start += std::min(between_looks, present.end - present.start)) {
      if (monotonic_now() >= deadline) return rest_.push_back({present.start, range.end});
      copy_piece(target.memory(), {present.start, std::min(present.end, present.start + between_looks)});
    }
  }
}

bool MemorySnapshot::copy(Target& target, Time deadline) {
  for (const AddressRange& range : with_pointers(target)) copy_range(target, range, deadline);
  return rest_.empty();
}

void MemorySnapshot::copy_rest(Target& target) {
  const std::vector<AddressRange> rest = std::move(rest_);
  rest_.clear();
  for (const AddressRange& range : rest) copy_range(target, range, no_deadline);
}

Bytes MemorySnapshot::at(uint64_t address) const {
  auto after = std::ranges::upper_bound(pieces_, address, {}, &Piece::start);
  if (after == pieces_.begin()) return {};
  const Piece& piece = *std::prev(after);
  return address < piece.end() ? piece.bytes.subspan(address - piece.start) : Bytes{};
}

bool MemorySnapshot::read(uint64_t address, std::span<std::byte> into) {
  // What was never touched is in no piece, and full of zeros.
  while (!into.empty()) {
    const Bytes here = at(address);
    if (here.empty()) return false;
    const size_t size = std::min(here.size(), into.size());
    std::memcpy(into.data(), here.data(), size);
    into = into.subspan(size);
    address += size;
  }
  return true;
}

}  // namespace culprit
