#include "analysis/target_names.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/glob.h"
#include "base/text.h"

namespace culprit {
namespace {

constexpr size_t names_in_a_complaint = 4;

std::string_view file_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

std::string_view word_of(std::string_view path) {
  std::string_view name = file_name(path);
  for (size_t at = name.find(".so"); at != name.npos && at != 0; at = name.find(".so", at + 1)) {
    if (at + 3 == name.size() || name[at + 3] == '.') return name.substr(0, at);
  }
  return name;
}

bool is_called(const TargetModule& module, std::string_view glob) {
  return glob_matches(glob, word_of(module.module.path)) || glob_matches(glob, file_name(module.module.path));
}

// Of several symbols of one name, whether they mean one thing.
bool is_one_address(const std::vector<NamedSymbol>& symbols) {
  return std::ranges::all_of(symbols, [&](const NamedSymbol& symbol) { return symbol.address == symbols[0].address; });
}

std::string listed(std::string_view module, const std::vector<NamedSymbol>& symbols) {
  std::string list;
  for (size_t i = 0; i < symbols.size() && i < names_in_a_complaint; ++i)
    list += fmt::format("{}@!\"{}!{}\"", i == 0 ? "" : ", ", module, symbols[i].name);
  return symbols.size() > names_in_a_complaint ? list + " …" : list;
}

void drop_thread_data(std::vector<NamedSymbol>& symbols) {
  std::erase_if(symbols, [](const NamedSymbol& symbol) { return symbol.kind == SymbolKind::thread_data; });
}

}  // namespace

std::string module_word(const TargetModule& module) { return std::string(word_of(module.module.path)); }

Module openable(const TargetModule& module) { return {module.module.path, module.module.build_id, module.opened_path}; }

TargetNames::Place TargetNames::place_of(uint64_t address) {
  Place place;
  place.module = target_->module_at(address);
  if (place.module != nullptr) {
    place.symbol = names_.covering(openable(*place.module), address - place.module->bias);
    uint64_t from = place.symbol ? place.symbol->address + place.module->bias : place.module->start;
    place.offset = address - from;
    return place;
  }
  const std::vector<TargetMapping>& mappings = target_->mappings();
  auto after = std::ranges::upper_bound(mappings, address, {}, &TargetMapping::start);
  if (after == mappings.begin() || address >= std::prev(after)->end) return place;
  place.mapping = std::prev(after)->path;
  place.offset = address - std::prev(after)->start;
  return place;
}

std::string TargetNames::words(uint64_t address) {
  Place place = place_of(address);
  std::string offset = place.offset != 0 ? fmt::format("+{:#x}", place.offset) : "";
  if (place.symbol) return fmt::format("{}!{}{}", word_of(place.module->module.path), place.symbol->name, offset);
  if (place.module != nullptr) return fmt::format("{}{}", word_of(place.module->module.path), offset);
  return place.mapping.empty() ? "" : fmt::format("{}{}", file_name(place.mapping), offset);
}

std::vector<const TargetModule*> TargetNames::modules_named(std::string_view glob) {
  std::vector<const TargetModule*> found;
  for (const TargetModule& module : target_->modules())
    if (is_called(module, glob)) found.push_back(&module);
  return found;
}

Result<uint64_t> TargetNames::address_of(std::string_view name) {
  constexpr size_t enough = 64;
  size_t mark = name.find('!');
  bool has_module = mark != name.npos;
  std::string_view symbol = has_module ? name.substr(mark + 1) : name;
  std::vector<const TargetModule*> modules = modules_named(has_module ? name.substr(0, mark) : "*");
  if (modules.empty() && has_module)
    return fail(ErrorKind::not_found, fmt::format("there is no module {}", printable(name.substr(0, mark))));
  // The dynamic linker takes the first module that shows a symbol to others; so do we, before private ones.
  std::optional<uint64_t> hidden;
  for (const TargetModule* module : modules) {
    std::vector<NamedSymbol> found = names_.find(openable(*module), symbol, enough).symbols;
    drop_thread_data(found);
    bool any_exported = std::ranges::any_of(found, [](const NamedSymbol& each) { return !each.is_local; });
    if (any_exported) std::erase_if(found, [](const NamedSymbol& each) { return each.is_local; });
    if (found.empty()) continue;
    if (!is_one_address(found))
      return fail(ErrorKind::usage, fmt::format("there are several {}: {}", printable(name),
                                                printable(listed(module_word(*module), found))));
    if (any_exported) return found[0].address + module->bias;
    if (!hidden) hidden = found[0].address + module->bias;
  }
  if (hidden) return *hidden;
  if (!has_module) {
    modules = modules_named(name);
    if (!modules.empty()) return modules[0]->start;
  }
  return fail(ErrorKind::not_found, fmt::format("there is no symbol {}", printable(name)));
}

TargetNames::FoundSymbols TargetNames::find(std::string_view module_glob, std::string_view glob, size_t limit,
                                            const std::function<bool()>& goes_on) {
  FoundSymbols result;
  for (const TargetModule* module : modules_named(module_glob)) {
    if (!goes_on()) {
      result.was_stopped = true;
      break;
    }
    FoundNames names = names_.find(openable(*module), glob, limit - result.symbols.size());
    result.has_more |= names.has_more;
    for (NamedSymbol& symbol : names.symbols) {
      uint64_t address = symbol.address + (symbol.kind == SymbolKind::thread_data ? 0 : module->bias);
      result.symbols.push_back({module, std::move(symbol), address});
    }
  }
  return result;
}

std::vector<std::string> TargetNames::completions(std::string_view beginning, size_t limit) {
  std::vector<std::string> found;
  size_t mark = beginning.find('!');
  if (mark != beginning.npos) {
    for (const TargetModule* module : modules_named(beginning.substr(0, mark))) {
      std::string prefix(beginning.substr(0, mark + 1));
      for (const std::string& name : names_.beginning_with(openable(*module), beginning.substr(mark + 1), limit))
        found.push_back(prefix + name);
    }
  } else {
    for (const TargetModule& module : target_->modules()) {
      std::string word = module_word(module);
      if (word.starts_with(beginning)) found.push_back(word + "!");
      // Of libraries nobody wants all names without asking for them: those of the program alone.
      bool is_program = module.module.path == target_->info().executable;
      if (!is_program || beginning.empty()) continue;
      for (std::string& name : names_.beginning_with(openable(module), beginning, limit))
        found.push_back(std::move(name));
    }
  }
  std::ranges::sort(found);
  auto repeated = std::ranges::unique(found);
  found.erase(repeated.begin(), repeated.end());
  if (found.size() > limit) found.resize(limit);
  return found;
}

}  // namespace culprit
