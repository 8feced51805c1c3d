#include "shell/lock_question.h"

#include <fmt/core.h>

#include <algorithm>

#include "analysis/lock_taken.h"
#include "analysis/target_names.h"
#include "analysis/thread_waits.h"
#include "base/text.h"
#include "format/fields.h"

namespace culprit {

namespace {

std::string file_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

}  // namespace

LockQuestioner::LockQuestioner(Target& target, SymbolOptions options)
    : target_(target),
      names_(options),
      symbolizer_(options),
      lookup_([this](std::span<const SymbolRequest> requests) { return symbolizer_.symbolize(requests); }),
      stacks_(target, lookup_) {}

AddressName LockQuestioner::name_of(uint64_t address) {
  const TargetModule* module = target_.module_at(address);
  if (module == nullptr) return {};
  const uint64_t offset = address - module->bias;
  if (auto symbol = names_.covering(module->module, offset)) {
    const uint64_t within = offset - symbol->address;
    return {within == 0 ? symbol->name : fmt::format("{}+{:#x}", symbol->name, within), module->module.path};
  }
  return {fmt::format("{}+{:#x}", file_name(module->module.path), offset), module->module.path};
}

std::vector<ReportStack> LockQuestioner::stacks_of(std::span<const uint32_t> tids) {
  std::vector<ReportStack> reports(tids.size());
  auto threads = target_.some_threads(ThreadWish::stacks, tids);
  if (!threads) return reports;
  const std::vector<ReportStack> stacks = stacks_.report(stacks_.walk_all(*threads));
  for (size_t at = 0; at < tids.size(); at++) {
    auto found = std::ranges::lower_bound(*threads, tids[at], {}, &TargetThread::tid);
    if (found != threads->end() && found->tid == tids[at])
      reports[at] = stacks[static_cast<size_t>(found - threads->begin())];
  }
  return reports;
}

std::string LockQuestioner::doing(uint32_t tid, const ReportStack& stack) {
  auto threads = target_.some_threads(ThreadWish::names_and_waits, std::span(&tid, 1));
  if (!threads || threads->empty()) return "";
  return wait_in_words(threads->front(), stack, names_of_handles(target_));
}

std::optional<NamedSymbol> LockQuestioner::function_at(uint64_t address) {
  const TargetModule* module = target_.module_at(address);
  if (module == nullptr) return {};
  auto symbol = names_.covering(openable(*module), address - module->bias);
  if (symbol) symbol->address += module->bias;
  return symbol;
}

std::optional<TakenPlace> LockQuestioner::place_taken(const LockHeld& held) {
  auto threads = target_.some_threads(ThreadWish::stacks, std::span(&held.owner, 1));
  if (!threads || threads->empty()) return {};
  const WalkedStack stack = stacks_.walk_all(*threads).front();
  return place_where_taken(held.lock, {stack, target_.stack_memory(threads->front()), held.is_held_twice}, target_,
                           stacks_, [this](uint64_t address) { return function_at(address); });
}

Result<uint64_t> LockQuestioner::address_of_variable(const std::string& name) {
  std::optional<uint64_t> found;
  for (const TargetModule& module : target_.modules()) {
    for (const NamedSymbol& symbol : names_.find(module.module, name, 2).symbols) {
      if (symbol.kind != SymbolKind::data) continue;
      const uint64_t address = symbol.address + module.bias;
      if (found && *found != address)
        return fail(ErrorKind::usage, fmt::format("several variables are called {}: give the address", name));
      found = address;
    }
  }
  if (found) return *found;
  return fail(ErrorKind::not_found,
              fmt::format("{} is neither an address (0x…) nor the name of a variable of the target", name));
}

Result<LockQuestion> LockQuestioner::question(const Arguments& arguments) {
  LockQuestion question;
  question.single_look = arguments.has("--no-wait");
  question.all_stacks = arguments.has("--all") || arguments.has("--address");
  if (!arguments.has("--address")) return question;
  const std::string text = arguments.text("--address");
  if (text.starts_with("0x")) {
    question.address = leading_number<uint64_t>(std::string_view(text).substr(2), 16);
    if (!question.address) return fail(ErrorKind::usage, fmt::format("{} is no address", text));
    return question;
  }
  auto address = address_of_variable(text);
  if (!address) return tl::unexpected<Error>(std::move(address).error());
  question.address = *address;
  return question;
}

Result<LockReport> LockQuestioner::ask(const Arguments& arguments) {
  auto asked = question(arguments);
  if (!asked) return tl::unexpected<Error>(std::move(asked).error());
  LockHelpers help = helpers();
  if (arguments.has("--no-stacks")) help.stacks = nullptr, help.place_taken = nullptr;
  return examine_locks(target_, *asked, help);
}

LockHelpers LockQuestioner::helpers() {
  LockHelpers helpers;
  helpers.doing = [this](uint32_t tid, const ReportStack& stack) { return doing(tid, stack); };
  helpers.name = [this](uint64_t address) { return name_of(address); };
  helpers.stacks = [this](std::span<const uint32_t> tids) { return stacks_of(tids); };
  helpers.place_taken = [this](const LockHeld& held) { return place_taken(held); };
  return helpers;
}

}  // namespace culprit
