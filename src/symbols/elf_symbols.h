// The function of an ELF symbol table that an address lies in.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "format/elf.h"
#include "symbols/symbolizer.h"

namespace culprit {

struct FoundSymbol {
  std::string_view name;  // as the linker knows it
  uint64_t start = 0;
};

class ElfSymbols {
 public:
  ElfSymbols() = default;
  // The bytes of `file` must outlive the object.
  explicit ElfSymbols(const ElfFile& file);

  // symbol_table with a .symtab, exported_symbol with a .dynsym alone, none without symbols.
  SymbolQuality quality() const { return quality_; }

  // Nothing when the nearest symbol below ends before the address: what lies between the functions that a stripped
  // library exports are its static functions, and naming the neighbour would blame the innocent.
  std::optional<FoundSymbol> covering(uint64_t address) const;

 private:
  struct Range {
    uint64_t start = 0, end = 0;
    bool contains(uint64_t address) const { return start <= address && address < end; }
  };
  std::vector<ElfSymbol> symbols_;  // ascending by address
  std::vector<Range> code_;
  SymbolQuality quality_ = SymbolQuality::none;
};

}  // namespace culprit
