// Addresses of a target in words, and names as addresses: "libc!malloc+0x12" both ways.
//
// A module is called by its file's name without ".so" and what follows: libc, libstdc++, orders; the whole file's name
// is understood as well.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "symbols/symbol_names.h"
#include "target/target.h"

namespace culprit {

std::string module_word(const TargetModule& module);
// The module as symbol stores look it up: with the path under which it can be opened from here.
Module openable(const TargetModule& module);

// Names are foreign text. Not thread-safe. Pointers to modules are the target's, and live as long as it says.
class TargetNames {
 public:
  // The target must outlive it.
  TargetNames(Target& target, SymbolOptions options) : target_(&target), names_(std::move(options)) {}

  struct Place {
    const TargetModule* module = nullptr;  // null: none holds the address
    std::optional<NamedSymbol> symbol;     // nothing: no symbol's bytes hold it
    uint64_t offset = 0;                   // from the symbol, else from the module, else from the mapping
    std::string mapping;                   // without a module: "[heap]", "[stack]", a file; empty: anonymous, or none
  };
  Place place_of(uint64_t address);
  // "libc!malloc+0x12", "libc+0x28e30", "[heap]+0x20"; empty: nothing is known of it.
  std::string words(uint64_t address);

  // Neighbours by name; their addresses are link-time.
  NearSymbols near(const TargetModule& module, uint64_t address) {
    return names_.near(openable(module), address - module.bias);
  }

  std::vector<const TargetModule*> modules_named(std::string_view glob);

  // Of "module!name", "name" or "module" (where it begins). not_found; usage: there are several of that name.
  Result<uint64_t> address_of(std::string_view name);

  struct Found {
    const TargetModule* module = nullptr;
    NamedSymbol symbol;
    uint64_t address = 0;  // in the target; of thread_data: the offset in the thread-local block
  };
  struct FoundSymbols {
    std::vector<Found> symbols;
    bool has_more = false, was_stopped = false;
  };
  // Globs for both. `goes_on` is asked before each module.
  FoundSymbols find(std::string_view module_glob, std::string_view glob, size_t limit,
                    const std::function<bool()>& goes_on);
  // What "libc!mal" or "mai" can become, with the module where it was typed.
  std::vector<std::string> completions(std::string_view beginning, size_t limit);

 private:
  Target* target_;
  SymbolNames names_;
};

}  // namespace culprit
