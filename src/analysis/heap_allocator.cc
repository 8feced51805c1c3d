#include "analysis/heap_allocator.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/mapping.h"

namespace culprit {

namespace {

struct Known {
  std::string_view name;
  std::string_view file;  // part of the name of its library
  std::string_view text;  // that is in a program into which it was linked; empty: it is not known by that
};
constexpr Known known[] = {
    {"jemalloc", "libjemalloc", "<jemalloc>"},
    {"tcmalloc", "libtcmalloc", "TCMALLOC_"},
    {"mimalloc", "libmimalloc", "mimalloc: "},
    {"musl", "ld-musl-", ""},
    {"musl", "libc.musl-", ""},
    {"AddressSanitizer", "libasan", "AddressSanitizer"},
    {"ThreadSanitizer", "libtsan", "ThreadSanitizer"},
    {"snmalloc", "libsnmalloc", "snmalloc"},
    {"Hoard", "libhoard", ""},
    {"Scudo", "libclang_rt.scudo", "Scudo ERROR"},
};

std::string_view file_name(const TargetModule& module) {
  const std::string_view path = module.module.path;
  return path.substr(path.rfind('/') + 1);
}

// A program that has a malloc of its own gives it to the libraries.
bool exports_malloc(const ElfFile& elf) {
  return std::ranges::any_of(elf.function_symbols(),
                             [](const ElfSymbol& symbol) { return symbol.name == "malloc" && !symbol.is_local; });
}

std::string linked_into(const std::string& path) {
  auto file = Mapping::of_file(path);
  auto elf = file ? parse_elf(file->bytes()) : fail(ErrorKind::not_found, "");
  // A static program has glibc's malloc as its own.
  if (!elf || elf->interpreter().empty() || !exports_malloc(*elf)) return {};
  const std::string_view text = as_text(file->bytes());
  for (const Known& each : known)
    if (!each.text.empty() && text.find(each.text) != std::string_view::npos) return std::string(each.name);
  return "its own malloc";
}

}  // namespace

HeapAllocator allocator_of(Target& target) {
  HeapAllocator found;
  for (const TargetModule& module : target.modules()) {
    for (const Known& each : known)
      if (file_name(module).starts_with(each.file)) found.name = each.name;
    if (found.name.empty() && module.module.path == target.info().executable && !module.opened_path.empty())
      found.name = linked_into(module.opened_path);
  }
  if (!found.name.empty())
    found.note = fmt::format(
        "malloc is served by {}, whose blocks culprit does not read: of them, the memory below "
        "that is \"anonymous\" is all that is known",
        found.name == "its own malloc" ? "the program itself" : found.name);
  return found;
}

}  // namespace culprit
