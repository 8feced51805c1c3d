#include "symbols/symbolizer.h"

#include <algorithm>
#include <filesystem>
#include <numeric>
#include <optional>
#include <unordered_map>

#include "symbols/demangle.h"
#include "symbols/dwarf_lines.h"
#include "symbols/elf_symbols.h"
#include "symbols/symbol_store.h"

namespace culprit {
namespace {

// "_Z4workv.isra.0" -> "_Z4workv": pieces and variants which the compiler made of one function are that function.
std::string_view without_clone_suffix(std::string_view linker_name) {
  return linker_name.substr(0, linker_name.starts_with("_Z") ? linker_name.find('.') : linker_name.npos);
}

// One module with everything known about it. Symbol tables are sorted only when the debug info leaves something open.
class OpenedModule {
 public:
  OpenedModule(const Module& module, SymbolStore& store);

  SymbolizedFrame symbolize(uint64_t address, uint64_t looked_up);
  ModuleSymbols used() const;

 private:
  const SymbolFile* with_symbols() const;
  const ElfSymbols& symbols();
  std::string advice() const;

  FoundFiles files_;
  std::optional<DwarfLines> lines_;
  std::optional<ElfSymbols> symbols_;
  ModuleSymbols used_;
  std::string name_;
  bool asks_servers_ = false;
};

OpenedModule::OpenedModule(const Module& module, SymbolStore& store)
    : files_(store.find(module)),
      name_(std::filesystem::path(module.path).filename()),
      asks_servers_(store.asks_servers()) {
  if (files_.module != nullptr) used_.file = files_.module->path;

  const SymbolFile* described = files_.debug != nullptr ? files_.debug.get() : files_.module.get();
  if (described != nullptr && has_debug_info(described->elf)) {
    SplitDwarfPlaces places;
    for (const SymbolFile* file : {files_.module.get(), files_.debug.get()}) {
      if (file == nullptr) continue;
      places.packages.push_back(file->path + ".dwp");
      places.directories.push_back(std::filesystem::path(file->path).parent_path());
    }
    if (auto lines = DwarfLines::open(described->elf.bytes, described->path, std::move(places))) {
      lines_ = std::move(*lines);
      used_.debug_file = described->path;
      used_.best = SymbolQuality::debug_info;
    } else {
      files_.debug_problem = lines.error().what;
    }
  }
  if (used_.best == SymbolQuality::none) used_.best = symbols().quality();
}

// A separate debug file has the full symbol table that was stripped off the module.
const SymbolFile* OpenedModule::with_symbols() const {
  for (const SymbolFile* file : {files_.debug.get(), files_.module.get()}) {
    if (file != nullptr && file->elf.section(".symtab") != nullptr) return file;
  }
  return files_.module.get();
}

const ElfSymbols& OpenedModule::symbols() {
  if (!symbols_) {
    const SymbolFile* file = with_symbols();
    symbols_ = file != nullptr ? ElfSymbols(file->elf) : ElfSymbols();
  }
  return *symbols_;
}

SymbolizedFrame OpenedModule::symbolize(uint64_t address, uint64_t looked_up) {
  SymbolizedFrame result;
  DwarfAnswer answer = lines_ ? lines_->lookup(looked_up) : DwarfAnswer{};
  if (!answer.frames.empty()) {
    result.quality = SymbolQuality::debug_info;
    result.frames = std::move(answer.frames);
    if (answer.has_linker_name && answer.function_start) {
      result.offset_in_symbol = address - *answer.function_start;
      return result;
    }
  }

  std::optional<FoundSymbol> symbol = symbols().covering(looked_up);
  if (!symbol) {
    if (answer.function_start) result.offset_in_symbol = address - *answer.function_start;
    return result;
  }
  result.offset_in_symbol = address - answer.function_start.value_or(symbol->start);
  if (result.frames.empty()) {
    result.quality = symbols().quality();
    result.frames.push_back({.function = demangle(symbol->name)});
  } else if (SourceFrame& function = result.frames.back(); !answer.has_linker_name) {
    // Debug info gives a static C++ function only its bare name; the symbol table knows its parameters, too.
    std::string_view linker_name = without_clone_suffix(symbol->name);
    std::string name = demangle(linker_name);
    if (function.function.empty() || name != linker_name) function.function = std::move(name);
  }
  return result;
}

std::string OpenedModule::advice() const {
  std::string advice = "install the package with its debug symbols";
  if (!asks_servers_) advice += ", or set DEBUGINFOD_URLS";
  return advice;
}

ModuleSymbols OpenedModule::used() const {
  ModuleSymbols used = used_;
  auto explain = [&](const std::string& what, const std::string& remedy) {
    used.note = name_ + ": " + what;
    if (!files_.debug_problem.empty()) used.note += " (" + files_.debug_problem + ")";
    used.note += remedy.empty() ? "" : ": " + remedy;
  };
  if (lines_ && !lines_->missing_split_file().empty()) {
    explain("the split debug info " + lines_->missing_split_file() + " is missing", "no function names from there");
  } else if (files_.module == nullptr && files_.debug == nullptr) {
    explain(files_.module_problem, "no symbols");
  } else if (used.best == SymbolQuality::none) {
    explain("it is stripped of all symbols", advice());
  } else if (used.best == SymbolQuality::exported_symbol) {
    explain("it is stripped, so that only the functions it exports have names", advice());
  } else if (used.best == SymbolQuality::symbol_table) {
    explain("it has no debug info, so that there are no lines", "build it with -g, " + advice());
  }
  return used;
}

struct ModuleHash {
  size_t operator()(const Module& module) const {
    return std::hash<std::string>()(module.path) * 31 + std::hash<std::string>()(module.build_id);
  }
};

}  // namespace

struct Symbolizer::State {
  SymbolStore store;
  std::unordered_map<Module, OpenedModule, ModuleHash> modules;

  OpenedModule& open(const Module& module) {
    auto known = modules.find(module);
    if (known == modules.end()) known = modules.try_emplace(module, module, store).first;
    return known->second;
  }
};

Symbolizer::Symbolizer(SymbolOptions options) : state_(new State{.store = SymbolStore(std::move(options))}) {}
Symbolizer::Symbolizer(Symbolizer&&) noexcept = default;
Symbolizer& Symbolizer::operator=(Symbolizer&&) noexcept = default;
Symbolizer::~Symbolizer() = default;

SymbolizedFrame Symbolizer::symbolize(const Module& module, uint64_t offset, bool is_return_address) {
  uint64_t looked_up = is_return_address && offset != 0 ? offset - 1 : offset;
  return state_->open(module).symbolize(offset, looked_up);
}

std::vector<SymbolizedFrame> Symbolizer::symbolize(std::span<const SymbolRequest> requests, const Progress& progress) {
  constexpr size_t requests_per_progress = 64;
  std::vector<size_t> order(requests.size());
  std::iota(order.begin(), order.end(), 0);
  auto key = [&](size_t index) {
    const SymbolRequest& request = requests[index];
    return std::make_tuple(std::string_view(request.module->path), std::string_view(request.module->build_id),
                           request.offset, request.is_return_address);
  };
  std::sort(order.begin(), order.end(), [&](size_t left, size_t right) { return key(left) < key(right); });

  std::vector<SymbolizedFrame> results(requests.size());
  for (size_t done = 0; done < order.size(); ++done) {
    if (progress && done % requests_per_progress == 0) progress(done, order.size());
    size_t index = order[done];
    bool is_repeated = done > 0 && key(order[done - 1]) == key(index);
    const SymbolRequest& request = requests[index];
    results[index] =
        is_repeated ? results[order[done - 1]] : symbolize(*request.module, request.offset, request.is_return_address);
  }
  if (progress) progress(order.size(), order.size());
  return results;
}

ModuleSymbols Symbolizer::used_for(const Module& module) { return state_->open(module).used(); }

}  // namespace culprit
