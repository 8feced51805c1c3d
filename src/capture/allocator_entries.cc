#include "capture/allocator_entries.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstring>

#include "target/elf_copy.h"

namespace culprit {
namespace {

// By enum culprit_allocator_function.
constexpr std::string_view names[CULPRIT_ALLOCATOR_FUNCTIONS] = {
    "", "malloc", "calloc", "realloc", "memalign", "aligned_alloc", "posix_memalign", "valloc", "pvalloc", "free"};

constexpr uint64_t page = 4096;
constexpr uint8_t breakpoint = 0xcc;

struct File {
  Mapping copy;
  ElfFile elf;
};
Result<File> read_file(const std::string& path) {
  auto copy = copy_elf(path, ElfParts::all_load);
  if (!copy) return tl::unexpected<Error>(copy.error());
  auto elf = parse_elf(copy->bytes());
  if (!elf) return tl::unexpected<Error>(elf.error());
  return File{std::move(*copy), std::move(*elf)};
}

bool is_in_reach(uint64_t at, uint64_t target) {
  auto distance = static_cast<int64_t>(target - (at + jump_size));
  return distance == static_cast<int32_t>(distance);
}

// What lies around it in its file, as far as entries are looked at.
std::optional<MovedEntry> move(const AllocatorEntry& entry, const ElfFile& elf, uint64_t room) {
  auto holds = [&](const ElfSegment& segment) {
    return segment.is_code() && entry.file_address >= segment.address &&
           entry.file_address - segment.address < elf.data_of(segment).size();
  };
  auto segment = std::ranges::find_if(elf.segments, holds);
  if (segment == elf.segments.end()) return {};
  const Bytes code = elf.data_of(*segment);
  const uint64_t at = entry.file_address - segment->address;
  const uint64_t begin = at - std::min(at, entry_surroundings);
  const uint64_t end = std::min<uint64_t>(code.size(), at + entry_surroundings);
  return move_entry(code.subspan(begin, end - begin), entry.start - (at - begin), entry.start, room);
}

tl::unexpected<Error> cannot(culprit_allocator_function function, std::string_view why) {
  return fail(ErrorKind::unsupported, fmt::format("its {}() cannot be watched: {}", names[function], why));
}

Result<EntryPatch> plan(culprit_allocator_function function, const AllocatorEntry& entry, VictimMemory& memory,
                        const culprit_heap_gate& gate) {
  EntryPatch patch{function, entry, {}, gate.room + function * CULPRIT_ENTRY_CODE, gate.doors[function]};
  std::array<std::byte, jump_size> now{};
  if (!memory.read(entry.start, now)) return fail(ErrorKind::gone, "it has ended meanwhile");
  if (now[0] == std::byte{breakpoint})
    return cannot(function, "there is a breakpoint at its beginning; clear it first");
  if (now != entry.original) return cannot(function, "its code has been changed by somebody else");
  auto file = read_file(entry.file->path);
  if (!file) return cannot(function, "its file cannot be read");
  auto moved = move(entry, file->elf, patch.room);
  // A write over a page's end is two, and culprit might be killed between them.
  const bool is_in_one_page = entry.start % page <= page - jump_size;
  if (!moved || !is_in_one_page) return cannot(function, "its first instructions cannot be moved");
  if (!is_in_reach(entry.start, patch.door)) return cannot(function, "it lies too far from the agent");
  patch.moved = *moved;
  return patch;
}

}  // namespace

std::vector<AllocatorEntry> find_allocator_entries(const VictimCode& code) {
  std::vector<AllocatorEntry> found;
  for (const VictimCode::AllocatorFile& allocator : code.allocators()) {
    auto file = read_file(allocator.path);
    if (!file) continue;
    const std::vector<ElfSymbol> symbols = file->elf.function_symbols();
    const bool has_operators = std::ranges::find(symbols, "_Znwm", &ElfSymbol::name) != symbols.end();
    for (const ElfSymbol& symbol : symbols) {
      if (symbol.name.empty() || std::ranges::find(names, symbol.name) == std::end(names)) continue;
      AllocatorEntry entry{allocator.bias + symbol.address, {}, symbol.address, symbol.size, &allocator, has_operators};
      const Bytes bytes = file->elf.at_address(symbol.address, jump_size);
      if (bytes.size() < jump_size) continue;
      std::ranges::copy(bytes.first(jump_size), entry.original.begin());
      found.push_back(entry);
    }
  }
  return found;
}

Result<std::vector<EntryPatch>> plan_entry_patches(const VictimCode& code, VictimMemory& memory,
                                                   const uint64_t (&functions)[CULPRIT_ALLOCATOR_FUNCTIONS],
                                                   const culprit_heap_gate& gate) {
  const std::vector<AllocatorEntry> entries = find_allocator_entries(code);
  std::vector<EntryPatch> patches;
  for (uint32_t i = CULPRIT_MALLOC; i < CULPRIT_ALLOCATOR_FUNCTIONS; ++i) {
    const auto function = static_cast<culprit_allocator_function>(i);
    // Two names of one function: what comes to it is told by the first.
    auto is_it = [&](const EntryPatch& patch) { return patch.entry.start == functions[i]; };
    if (functions[i] == 0 || std::ranges::any_of(patches, is_it)) continue;
    auto entry = std::ranges::find(entries, functions[i], &AllocatorEntry::start);
    if (entry == entries.end()) return cannot(function, "it lies in no library that could be read");
    auto patch = plan(function, *entry, memory, gate);
    if (!patch) return tl::unexpected<Error>(std::move(patch).error());
    patches.push_back(std::move(*patch));
  }
  if (patches.empty()) return fail(ErrorKind::unsupported, "it has no malloc() that could be found");
  std::ranges::sort(patches, {}, [](const EntryPatch& patch) { return patch.entry.start; });
  return patches;
}

std::array<std::byte, jump_size> jump_between(uint64_t at, uint64_t target) {
  std::array<std::byte, jump_size> jump{std::byte{0xe9}};
  auto distance = static_cast<int32_t>(target - (at + jump_size));
  std::memcpy(&jump[1], &distance, sizeof distance);
  return jump;
}

}  // namespace culprit
