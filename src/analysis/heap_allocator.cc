#include "analysis/heap_allocator.h"

#include <algorithm>

#include "base/mapping.h"
#include "format/musl_heap.h"

namespace culprit {

namespace {

constexpr uint64_t most_data = 64 << 20;  // of a module's variables

struct Known {
  std::string_view name;
  std::string_view file;  // where in the path of its library its name begins
  std::string_view text;  // that is in a program into which it was linked; empty: it is not known by that
};
constexpr Known known[] = {
    {"jemalloc", "/libjemalloc", "<jemalloc>: "},
    {"tcmalloc", "/libtcmalloc", "TCMALLOC_"},
    {"mimalloc", "/libmimalloc", "mimalloc: error: "},
    {"musl", "/ld-musl-", ""},
    {"musl", "/libc.musl-", ""},
    {"musl", "-linux-musl/libc.so", ""},
    {"AddressSanitizer", "/libasan", "AddressSanitizer"},
    {"ThreadSanitizer", "/libtsan", "ThreadSanitizer"},
    {"snmalloc", "/libsnmalloc", "snmalloc"},
    {"Hoard", "/libhoard", ""},
    {"Scudo", "/libclang_rt.scudo", "Scudo ERROR"},
};

bool has_file_name(std::string_view path, std::string_view beginning) {
  const size_t at = path.rfind(beginning);
  return at != std::string_view::npos && path.find('/', at + beginning.size()) == std::string_view::npos;
}

// A program that has a malloc of its own gives it to the libraries.
bool exports_malloc(const ElfFile& elf) {
  return std::ranges::any_of(elf.function_symbols(),
                             [](const ElfSymbol& symbol) { return symbol.name == "malloc" && !symbol.is_local; });
}

std::string linked_into(const std::string& path, bool has_glibc_heap) {
  auto file = Mapping::of_file(path);
  auto elf = file ? parse_elf(file->bytes()) : fail(ErrorKind::not_found, "");
  if (!elf) return {};
  // A static program tells nobody which functions it has: there its texts are all that there is.
  const bool is_static = elf->interpreter().empty();
  if (is_static ? has_glibc_heap : !exports_malloc(*elf)) return {};
  const std::string_view text = as_text(file->bytes());
  for (const Known& each : known)
    if (!each.text.empty() && text.find(each.text) != std::string_view::npos) return std::string(each.name);
  return is_static ? "" : "its own malloc";
}

bool has_musl_heap(Target& target, const TargetModule& module) {
  MemoryReader& memory = target.memory();
  for (const TargetMapping& mapping : target.mappings()) {
    const uint64_t start = std::max(mapping.start, module.start), end = std::min(mapping.end, module.end);
    if (!mapping.is_writable || !mapping.is_readable || start >= end || end - start > most_data) continue;
    std::vector<std::byte> bytes(end - start);
    if (!memory.read(start, bytes)) continue;
    for (const MuslHeap& heap : find_musl_heaps(bytes))
      if (memory.word(heap.first_area) == heap.secret && memory.word(heap.last_area) == heap.secret) return true;
  }
  return false;
}

// The agent comes by glibc's loader.
bool has_glibc_loader(Target& target) {
  return std::ranges::any_of(target.modules(), [](const TargetModule& module) {
    return has_file_name(module.module.path, "/ld-linux") || has_file_name(module.module.path, "/ld-2.");
  });
}

}  // namespace

HeapAllocator allocator_of(Target& target, bool has_glibc_heap) {
  for (const TargetModule& module : target.modules())
    for (const Known& each : known)
      if (has_file_name(module.module.path, each.file)) return {std::string(each.name), has_glibc_loader(target)};
  for (const TargetModule& module : target.modules()) {
    if (module.module.path != target.info().executable) continue;
    std::string linked = module.opened_path.empty() ? "" : linked_into(module.opened_path, has_glibc_heap);
    if (!linked.empty()) return {std::move(linked), has_glibc_loader(target)};
    if (!has_glibc_heap && has_musl_heap(target, module)) return {"musl", false};
  }
  return {{}, has_glibc_loader(target)};
}

std::string HeapAllocator::what_is_left() const {
  return can_be_recorded ? "`culprit run --heap -- COMMAND` records who allocates them"
                         : "`culprit run --heap` cannot record them: its agent cannot come before this malloc";
}

}  // namespace culprit
