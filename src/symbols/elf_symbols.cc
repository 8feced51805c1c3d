#include "symbols/elf_symbols.h"

#include <algorithm>

namespace culprit {
namespace {

constexpr uint64_t flag_code = 0x4;  // SHF_EXECINSTR
// Aliases and nested labels may stand between an address and the symbol that covers it.
constexpr int most_steps_back = 16;

bool has_symbols(const ElfFile& file, uint32_t type) {
  return std::any_of(file.sections.begin(), file.sections.end(),
                     [&](const ElfSection& section) { return section.type == type && !section.data.empty(); });
}

}  // namespace

ElfSymbols::ElfSymbols(const ElfFile& file) : symbols_(file.function_symbols()) {
  if (symbols_.empty()) return;
  quality_ = has_symbols(file, elf::section_symbols) ? SymbolQuality::symbol_table : SymbolQuality::exported_symbol;
  for (const ElfSection& section : file.sections) {
    if ((section.flags & flag_code) != 0) code_.push_back({section.address, section.address + section.size});
  }
}

std::optional<FoundSymbol> ElfSymbols::covering(uint64_t address) const {
  auto above = std::upper_bound(symbols_.begin(), symbols_.end(), address,
                                [](uint64_t wanted, const ElfSymbol& symbol) { return wanted < symbol.address; });
  auto below = above;
  for (int step = 0; step < most_steps_back && below != symbols_.begin(); ++step) {
    --below;
    if (address - below->address < below->size) return FoundSymbol{below->name, below->address};
  }
  // Hand-written assembly often has no size: such a symbol reaches to the next one, within its section.
  if (above == symbols_.begin()) return {};
  const ElfSymbol& nearest = *std::prev(above);
  if (nearest.size != 0) return {};
  for (const Range& range : code_) {
    if (range.contains(nearest.address) && range.contains(address)) return FoundSymbol{nearest.name, nearest.address};
  }
  return {};
}

}  // namespace culprit
