#include <algorithm>
#include <set>

#include "analysis/heap_layout_parts.h"

namespace culprit {

namespace {

constexpr uint64_t most_data = 64 << 20;  // of a module's variables
constexpr size_t most_arenas = 1 << 16;
constexpr size_t most_damaged_bins = 4;

bool is_c_library(const TargetModule& module) {
  const std::string_view path = module.module.path;
  const std::string_view name = path.substr(path.rfind('/') + 1);
  return name.starts_with("libc.so") || name.starts_with("libc-2");
}

// The C library, then the program, which may have it inside, then whatever else there is.
std::vector<const TargetModule*> modules_in_order(Target& target) {
  std::vector<const TargetModule*> modules;
  for (const TargetModule& module : target.modules()) modules.push_back(&module);
  auto rank = [&](const TargetModule* module) {
    return is_c_library(*module) ? 0 : module->module.path == target.info().executable ? 1 : 2;
  };
  std::ranges::stable_sort(modules, {}, rank);
  return modules;
}

std::optional<MallocState> state_at(MemoryReader& memory, uint64_t address) {
  std::array<std::byte, MallocState::most_bytes> bytes{};
  if (!memory.read(address, bytes)) return {};
  return read_malloc_state(bytes, address);
}

// What looks like an arena is one if the chunks in its bins point back, and what follows it in the ring is one, too.
bool is_main_arena(MemoryReader& memory, const MallocState& state) {
  size_t damaged = 0;
  for (const MallocState::Bin& bin : state.bins)
    if (!bin.is_empty() && memory.word(bin.first + 24) != bin.head && ++damaged > most_damaged_bins) return false;
  return state.next == state.address || state_at(memory, state.next).has_value();
}

std::optional<MallocState> main_arena_in(HeapSearch& search, const TargetModule& module) {
  for (const TargetMapping& mapping : search.target.mappings()) {
    const uint64_t start = std::max(mapping.start, module.start), end = std::min(mapping.end, module.end);
    if (!mapping.is_writable || !mapping.is_readable || start >= end || end - start > most_data) continue;
    std::vector<std::byte> bytes(end - start);
    if (!search.memory.read(start, bytes)) continue;
    for (const MallocState& state : find_malloc_states(bytes, start)) {
      if (!is_main_arena(search.memory, state)) continue;
      search.libc_data = std::move(bytes);
      return state;
    }
  }
  return {};
}

void add_arena(HeapSearch& search, const MallocState& state) {
  const bool is_in_hand =
      std::ranges::any_of(search.threads, [&](const TargetThread& each) { return search.is_at(each, state.address); });
  search.layout.arenas.push_back({state, (state.is_locked && !search.has_died()) || is_in_hand});
}

}  // namespace

// Who died in malloc, died of damage; there it is not excused.
bool HeapSearch::has_died() const { return target.info().signal != 0; }

bool HeapSearch::is_at(const TargetThread& thread, uint64_t address) const {
  if (thread.known != RegistersKnown::all || has_died()) return false;
  const Registers& r = thread.registers;
  if (r.rip < libc->start || r.rip >= libc->end) return false;
  const uint64_t held[] = {r.rax, r.rbx, r.rcx, r.rdx, r.rsi, r.rdi, r.rbp, r.r8,
                           r.r9,  r.r10, r.r11, r.r12, r.r13, r.r14, r.r15};
  return std::ranges::find(held, address) != std::end(held);
}

bool find_arenas(HeapSearch& search) {
  std::optional<MallocState> main;
  for (const TargetModule* module : modules_in_order(search.target)) {
    main = main_arena_in(search, *module);
    search.libc = module;
    if (main) break;
  }
  if (!main) return false;
  add_arena(search, *main);
  std::set<uint64_t> seen{main->address};
  uint64_t next = main->next;
  while (next != main->address) {
    auto state = state_at(search.memory, next);
    if (!state || !seen.insert(next).second || seen.size() > most_arenas) {
      search.add_break(next, static_cast<uint32_t>(search.layout.arenas.size() - 1),
                       "the ring of arenas is broken: what follows this one is none, and others may be missing");
      break;
    }
    add_arena(search, *state);
    next = state->next;
  }
  return true;
}

}  // namespace culprit
