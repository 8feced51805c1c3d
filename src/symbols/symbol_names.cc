#include "symbols/symbol_names.h"

#include <algorithm>
#include <unordered_map>

#include "base/glob.h"
#include "symbols/demangle.h"
#include "symbols/function_name.h"
#include "symbols/symbol_store.h"

namespace culprit {
namespace {

// Aliases and nested labels may stand between an address and the symbol that covers it.
constexpr size_t most_steps_back = 32;

constexpr SymbolKind kind_of(ElfSymbolKind kind) {
  switch (kind) {
    case ElfSymbolKind::function:
      return SymbolKind::function;
    case ElfSymbolKind::object:
      return SymbolKind::data;
    case ElfSymbolKind::thread_local_object:
      return SymbolKind::thread_data;
    case ElfSymbolKind::label:
      break;
  }
  return SymbolKind::label;
}

// "pthread_create@@GLIBC_2.34": in .symtab the version is part of the name.
std::string_view without_version(std::string_view linker_name) { return linker_name.substr(0, linker_name.find('@')); }

bool covers(const ElfSymbol& symbol, uint64_t address) {
  return symbol.address <= address && address - symbol.address < symbol.size;
}

// Of several names for one address the one to show: what has a type and a size before labels, what others see before
// static aliases, and the fewest underscores in front ("malloc" before "__libc_malloc").
auto worth(const ElfSymbol& symbol) {
  size_t underscores = symbol.name.starts_with("_Z") ? 0 : symbol.name.find_first_not_of('_');
  return std::tuple(symbol.kind == ElfSymbolKind::label, symbol.size == 0, symbol.is_local, underscores, symbol.name);
}

NamedSymbol named(const ElfSymbol& symbol) {
  return {demangle(without_version(symbol.name)), symbol.address, symbol.size, kind_of(symbol.kind), symbol.is_local};
}

bool matches(std::string_view pattern, const std::string& name) {
  return glob_matches(pattern, name) || glob_matches(pattern, without_parameters(name)) ||
         glob_matches(pattern, qualified_name(name));
}

class ModuleNames {
 public:
  ModuleNames(const Module& module, SymbolStore& store) : files_(store.find(module)) {
    for (const SymbolFile* file : {files_.debug.get(), files_.module.get()}) {
      if (file == nullptr || !symbols_.empty()) continue;
      symbols_ = file->elf.all_symbols();
    }
    for (const ElfSymbol& symbol : symbols_)
      if (symbol.kind != ElfSymbolKind::thread_local_object) placed_.push_back(symbol);
  }

  std::optional<NamedSymbol> covering(uint64_t address) const {
    const ElfSymbol* symbol = covering_symbol(address);
    return symbol != nullptr ? std::optional(named(*symbol)) : std::nullopt;
  }

  NearSymbols near(uint64_t address) const {
    NearSymbols result;
    auto above = after(address);
    if (const ElfSymbol* symbol = covering_symbol(address)) {
      result.before = named(*symbol);
      result.is_within = true;
    } else if (above != placed_.begin()) {
      result.before = named(best_at(std::prev(above)->address));
    }
    if (above != placed_.end()) result.after = named(best_at(above->address));
    return result;
  }

  FoundNames find(std::string_view pattern, size_t limit) {
    FoundNames found;
    auto add = [&](const ElfSymbol& symbol) {
      if (found.symbols.size() < limit) return found.symbols.push_back(named(symbol)), true;
      found.has_more = true;
      return false;
    };
    for (const ElfSymbol& symbol : symbols_)
      if (glob_matches(pattern, without_version(symbol.name)) && !add(symbol)) return found;
    // C names are done with now; to demangle all others takes a second where there are very many.
    bool is_exact = pattern.find_first_of("*?") == pattern.npos;
    if (is_exact && !found.symbols.empty()) return found;
    const std::vector<std::string>& readable = readable_names();
    for (size_t i = 0; i < symbols_.size(); ++i) {
      if (readable[i].empty() || glob_matches(pattern, without_version(symbols_[i].name))) continue;
      if (matches(pattern, readable[i]) && !add(symbols_[i])) break;
    }
    std::ranges::stable_sort(found.symbols, {}, &NamedSymbol::address);
    return found;
  }

  std::vector<std::string> beginning_with(std::string_view beginning, size_t limit) {
    std::vector<std::string> names;
    const std::vector<std::string>& readable = readable_names();
    for (size_t i = 0; i < symbols_.size() && names.size() < limit; ++i) {
      std::string name(readable[i].empty() ? std::string(without_version(symbols_[i].name))
                                           : qualified_name(readable[i]));
      if (name.starts_with(beginning)) names.push_back(std::move(name));
    }
    return names;
  }

 private:
  std::vector<ElfSymbol>::const_iterator after(uint64_t address) const {
    return std::ranges::upper_bound(placed_, address, {}, &ElfSymbol::address);
  }

  const ElfSymbol* covering_symbol(uint64_t address) const {
    auto at = after(address);
    const ElfSymbol* best = nullptr;
    for (size_t step = 0; step < most_steps_back && at != placed_.begin(); ++step) {
      --at;
      if (!covers(*at, address)) continue;
      if (best != nullptr && at->address != best->address) break;  // the innermost of nested ones
      if (best == nullptr || worth(*at) < worth(*best)) best = &*at;
    }
    return best;
  }

  const ElfSymbol& best_at(uint64_t address) const {
    auto [first, last] = std::ranges::equal_range(placed_, address, {}, &ElfSymbol::address);
    return *std::ranges::min_element(first, last, {}, worth);
  }

  // In the order of symbols_; empty where demangling changes nothing.
  const std::vector<std::string>& readable_names() {
    if (readable_.size() == symbols_.size()) return readable_;
    readable_.resize(symbols_.size());
    for (size_t i = 0; i < symbols_.size(); ++i) {
      std::string_view name = without_version(symbols_[i].name);
      if (name.starts_with("_Z") || name.starts_with("_R")) readable_[i] = demangle(name);
    }
    return readable_;
  }

  FoundFiles files_;
  std::vector<ElfSymbol> symbols_;  // ascending by address; their names lie in files_
  std::vector<ElfSymbol> placed_;   // those that have an address
  std::vector<std::string> readable_;
};

struct ModuleHash {
  size_t operator()(const Module& module) const {
    return std::hash<std::string>()(module.path) * 31 + std::hash<std::string>()(module.build_id);
  }
};

}  // namespace

struct SymbolNames::State {
  SymbolStore store;
  std::unordered_map<Module, ModuleNames, ModuleHash> modules;

  ModuleNames& open(const Module& module) {
    auto known = modules.find(module);
    if (known == modules.end()) known = modules.try_emplace(module, module, store).first;
    return known->second;
  }
};

SymbolNames::SymbolNames(SymbolOptions options) : state_(new State{.store = SymbolStore(std::move(options))}) {}
SymbolNames::SymbolNames(SymbolNames&&) noexcept = default;
SymbolNames& SymbolNames::operator=(SymbolNames&&) noexcept = default;
SymbolNames::~SymbolNames() = default;

std::optional<NamedSymbol> SymbolNames::covering(const Module& module, uint64_t address) {
  return state_->open(module).covering(address);
}

NearSymbols SymbolNames::near(const Module& module, uint64_t address) { return state_->open(module).near(address); }

FoundNames SymbolNames::find(const Module& module, std::string_view pattern, size_t limit) {
  return state_->open(module).find(pattern, limit);
}

std::vector<std::string> SymbolNames::beginning_with(const Module& module, std::string_view beginning, size_t limit) {
  return state_->open(module).beginning_with(beginning, limit);
}

}  // namespace culprit
