#include "symbols/symbolizer.h"

#include <algorithm>
#include <filesystem>
#include <numeric>
#include <optional>
#include <thread>
#include <unordered_map>

#include "symbols/demangle.h"
#include "symbols/dwarf_worker.h"
#include "symbols/elf_symbols.h"
#include "symbols/symbol_store.h"

namespace culprit {
namespace {

// "_Z4workv.isra.0" -> "_Z4workv": pieces and variants which the compiler made of one function are that function.
std::string_view without_clone_suffix(std::string_view linker_name) {
  return linker_name.substr(0, linker_name.starts_with("_Z") ? linker_name.find('.') : linker_name.npos);
}

// One module with everything known about it. Symbol tables are sorted only when the debug info leaves something open.
constexpr size_t worth_workers = 2000;  // below, starting one more costs more than it saves
constexpr unsigned most_workers = 4;    // each reads the index of all units by itself

class OpenedModule {
 public:
  OpenedModule(const Module& module, SymbolStore& store);

  struct Question {
    uint64_t address = 0;    // asked for
    uint64_t looked_up = 0;  // within the call that returns to it
  };
  // Ascending questions are answered fastest. Calls `done` with the number of answers that have come.
  std::vector<SymbolizedFrame> symbolize(std::span<const Question> questions, const std::function<void(size_t)>& done);
  std::optional<NamedObject> object(const ObjectQuestion& question) {
    return workers_.empty() ? std::nullopt : workers_.front().object(question);
  }
  ModuleSymbols used() const;

 private:
  SymbolizedFrame merge(const Question& question, DwarfAnswer answer);
  void add_worker();
  const SymbolFile* described() const { return files_.debug != nullptr ? files_.debug.get() : files_.module.get(); }
  const SymbolFile* with_symbols() const;
  const ElfSymbols& symbols();
  std::string advice() const;

  FoundFiles files_;
  std::vector<DwarfWorker> workers_;
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

  if (described() != nullptr && has_debug_info(described()->elf)) {
    add_worker();
    if (workers_.front().problem().empty()) {
      used_.debug_file = described()->path;
      used_.best = SymbolQuality::debug_info;
    }
  }
  if (used_.best == SymbolQuality::none) used_.best = symbols().quality();
}

void OpenedModule::add_worker() {
  SplitDwarfPlaces places;
  for (const SymbolFile* file : {files_.module.get(), files_.debug.get()}) {
    if (file == nullptr) continue;
    places.packages.push_back(file->path + ".dwp");
    places.directories.push_back(std::filesystem::path(file->path).parent_path());
  }
  workers_.emplace_back(described()->elf.bytes, described()->path, places);
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

std::vector<SymbolizedFrame> OpenedModule::symbolize(std::span<const Question> questions,
                                                     const std::function<void(size_t)>& done) {
  if (!workers_.empty() && questions.size() >= worth_workers) {
    while (workers_.size() < std::min(most_workers, std::thread::hardware_concurrency())) add_worker();
  }
  std::vector<DwarfAnswer> answers(questions.size());
  // Each worker takes a part of its own from the first to the last, so that no two read the same compilation unit.
  size_t part = workers_.empty() ? 0 : (questions.size() + workers_.size() - 1) / workers_.size();
  for (size_t step = 0; step < part; step += DwarfWorker::most_addresses) {
    std::vector<std::pair<size_t, size_t>> asked;  // the first question and their number, for each worker
    for (size_t i = 0; i < workers_.size(); ++i) {
      size_t first = std::min(i * part + step, questions.size());
      size_t last = std::min({first + DwarfWorker::most_addresses, (i + 1) * part, questions.size()});
      std::vector<uint64_t> addresses;
      for (size_t at = first; at < last; ++at) addresses.push_back(questions[at].looked_up);
      workers_[i].send(addresses);
      asked.emplace_back(first, addresses.size());
    }
    for (size_t i = 0; i < workers_.size(); ++i) {
      std::vector<DwarfAnswer> received = workers_[i].receive();
      std::move(received.begin(), received.end(), answers.begin() + static_cast<ptrdiff_t>(asked[i].first));
    }
    done(std::min((step + DwarfWorker::most_addresses) * workers_.size(), questions.size()));
  }

  std::vector<SymbolizedFrame> results;
  results.reserve(questions.size());
  for (size_t i = 0; i < questions.size(); ++i) results.push_back(merge(questions[i], std::move(answers[i])));
  return results;
}

// Debug info first; the symbol table for what it leaves open.
SymbolizedFrame OpenedModule::merge(const Question& question, DwarfAnswer answer) {
  auto [address, looked_up] = question;
  SymbolizedFrame result;
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
  std::string problem = files_.debug_problem, missing;
  for (const DwarfWorker& worker : workers_) {
    if (!worker.problem().empty()) problem = worker.problem();
    if (!worker.missing_split_file().empty()) missing = worker.missing_split_file();
  }
  auto explain = [&](const std::string& what, const std::string& remedy) {
    used.note = name_ + ": " + what + (problem.empty() ? "" : " (" + problem + ")") + ": " + remedy;
  };
  if (files_.module == nullptr && files_.debug == nullptr) {
    explain(files_.module_problem, "no symbols");
  } else if (used.best == SymbolQuality::debug_info) {
    if (!missing.empty())
      explain("the split debug info " + missing + " is missing", "its inlined functions and variables are not shown");
    if (missing.empty() && !problem.empty() && !workers_.empty()) used.note = name_ + ": " + problem;
  } else if (used.best == SymbolQuality::symbol_table) {
    explain("it has no debug info, so that there are no lines", "build it with -g, " + advice());
  } else if (used.best == SymbolQuality::exported_symbol) {
    explain("it is stripped, so that only the functions it exports have names", advice());
  } else {
    explain("it is stripped of all symbols", advice());
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
  SymbolRequest request{.module = &module, .offset = offset, .is_return_address = is_return_address};
  return std::move(symbolize(std::span(&request, 1)).front());
}

std::vector<SymbolizedFrame> Symbolizer::symbolize(std::span<const SymbolRequest> requests, const Progress& progress) {
  auto module_of = [&](size_t index) {
    return std::pair<std::string_view, std::string_view>(requests[index].module->path,
                                                         requests[index].module->build_id);
  };
  auto place_of = [&](size_t index) { return std::pair(requests[index].offset, requests[index].is_return_address); };
  std::vector<size_t> order(requests.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](size_t left, size_t right) {
    auto left_module = module_of(left), right_module = module_of(right);
    return left_module != right_module ? left_module < right_module : place_of(left) < place_of(right);
  });

  std::vector<SymbolizedFrame> results(requests.size());
  for (size_t begin = 0, end = 0; begin < order.size(); begin = end) {
    // From here on: order[begin, end) are of one module, equal ones beside each other.
    std::vector<OpenedModule::Question> questions;
    std::vector<size_t> question_of;
    for (end = begin; end < order.size() && module_of(order[end]) == module_of(order[begin]); ++end) {
      auto [offset, is_return_address] = place_of(order[end]);
      if (end == begin || place_of(order[end - 1]) != place_of(order[end])) {
        questions.push_back({.address = offset, .looked_up = is_return_address && offset != 0 ? offset - 1 : offset});
      }
      question_of.push_back(questions.size() - 1);
    }
    auto report = [&](size_t done) {
      if (progress) progress(std::min(begin + done, end), order.size());
    };
    auto answers = state_->open(*requests[order[begin]].module).symbolize(questions, report);
    for (size_t i = begin; i < end; ++i) results[order[i]] = answers[question_of[i - begin]];
  }
  if (progress) progress(order.size(), order.size());
  return results;
}

std::optional<NamedObject> Symbolizer::object(const Module& module, const ObjectQuestion& question) {
  return state_->open(module).object(question);
}

ModuleSymbols Symbolizer::used_for(const Module& module) { return state_->open(module).used(); }

}  // namespace culprit
