#include "shell/console_session.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "base/text.h"
#include "shell/interrupts.h"
#include "shell/words.h"

namespace culprit {
namespace {

// Addresses that are looked up between two looks at whether Ctrl-C was pressed.
constexpr size_t lookup_piece = 2000;

bool needs_registers(const Expression& expression) {
  return std::ranges::any_of(expression,
                             [](const ExpressionStep& step) { return step.op == ExpressionOp::register_value; });
}

}  // namespace

void ConsoleSession::set_target(std::unique_ptr<Target> target) {
  run_control_.reset();
  debugged_ = nullptr;
  if (target->info().kind == TargetKind::live) {
    auto debugged = std::make_unique<DebuggedTarget>(std::move(target));
    debugged_ = debugged.get();
    target = std::move(debugged);
  }
  target_ = std::move(target);
  names_ = std::make_unique<TargetNames>(*target_, options_);
  tids_.clear();
  places_ = {};
  const TargetInfo& info = target_->info();
  current_tid_ = info.signal_tid != 0 ? info.signal_tid : info.pid;
  auto found = threads(ThreadWish::names_and_waits);
  // The main thread may have ended before the others.
  if (found && !found->empty() && !number_of(current_tid_)) current_tid_ = tids_.front();
}

Result<Target*> ConsoleSession::needed_target() {
  if (target_ != nullptr) return target_.get();
  return fail(
      ErrorKind::unsupported,
      fmt::format("{} is a recording of handles, without threads, memory and symbols: ask it for handles, diff, "
                  "!htrace",
                  printable(name_)));
}

Result<RunControl*> ConsoleSession::run_control() {
  if (debugged_ == nullptr)
    return fail(ErrorKind::unsupported, fmt::format("{} is no process that runs: there is nothing to let run or stop",
                                                    printable(name_)));
  if (!run_control_) run_control_ = std::make_unique<RunControl>(*this, *debugged_);
  return run_control_.get();
}

Result<void> ConsoleSession::reload() {
  symbolizer_.reset();
  if (target_ == nullptr) return {};
  names_ = std::make_unique<TargetNames>(*target_, options_);
  auto found = threads(ThreadWish::names_and_waits);
  if (!found) return tl::unexpected<Error>(std::move(found).error());
  std::erase_if(tids_,
                [&](uint32_t tid) { return std::ranges::find(*found, tid, &TargetThread::tid) == found->end(); });
  return {};
}

Result<std::vector<TargetThread>> ConsoleSession::threads(ThreadWish wish) {
  auto target = needed_target();
  if (!target) return tl::unexpected<Error>(std::move(target).error());
  auto found = (*target)->threads(wish);
  if (!found) return found;
  for (const TargetThread& thread : *found)
    if (!number_of(thread.tid)) tids_.push_back(thread.tid);
  return found;
}

std::optional<uint32_t> ConsoleSession::number_of(uint32_t tid) const {
  auto found = std::ranges::find(tids_, tid);
  if (found == tids_.end()) return {};
  return static_cast<uint32_t>(found - tids_.begin());
}

std::optional<uint32_t> ConsoleSession::tid_of(uint64_t number) const {
  return number < tids_.size() ? std::optional(tids_[number]) : std::nullopt;
}

Result<TargetThread> ConsoleSession::thread(uint32_t tid) {
  auto found = threads(ThreadWish::stacks);
  if (!found) return tl::unexpected<Error>(std::move(found).error());
  auto thread = std::ranges::find(*found, tid, &TargetThread::tid);
  if (thread == found->end())
    return fail(ErrorKind::gone, fmt::format("thread {} is no more; ~ lists those there are", tid));
  if (thread->known != RegistersKnown::all) {
    TargetThread* incomplete[] = {&*thread};
    target_->complete(incomplete);
  }
  return *thread;
}

AddressWords ConsoleSession::words() {
  return [this](uint64_t address) { return names_ != nullptr ? names_->words(address) : std::string(); };
}

void ConsoleSession::set_debug_directories(std::vector<std::string> directories) {
  options_.debug_directories = std::move(directories);
  symbolizer_.reset();
  if (target_ != nullptr) names_ = std::make_unique<TargetNames>(*target_, options_);
}

Symbolizer& ConsoleSession::symbolizer() {
  if (!symbolizer_) symbolizer_.emplace(options_);
  return *symbolizer_;
}

SymbolLookup ConsoleSession::lookup() {
  return [this](std::span<const SymbolRequest> requests) {
    std::vector<SymbolizedFrame> frames;
    while (frames.size() < requests.size() && !was_interrupted()) {
      auto piece = requests.subspan(frames.size(), std::min(lookup_piece, requests.size() - frames.size()));
      std::ranges::move(symbolizer().symbolize(piece), std::back_inserter(frames));
    }
    frames.resize(requests.size());
    return frames;
  };
}

Result<Disassembler*> ConsoleSession::disassembler() {
  if (!disassembler_) {
    auto made = Disassembler::make();
    if (!made) return tl::unexpected<Error>(std::move(made).error());
    disassembler_.emplace(std::move(*made));
  }
  return &*disassembler_;
}

bool ConsoleSession::Names::is_module(std::string_view name) {
  return session.names_ != nullptr && !session.names_->modules_named(name).empty();
}

Result<uint64_t> ConsoleSession::Names::address_of(std::string_view name) {
  if (session.names_ == nullptr) return fail(ErrorKind::not_found, "a recording of handles has no symbols");
  return session.names_->address_of(name);
}

Result<uint64_t> ConsoleSession::value_of(const Expression& expression) {
  ExpressionContext context{.pid = target_ != nullptr ? target_->info().pid : 0, .tid = current_tid_};
  if (target_ != nullptr) context.memory = &target_->memory();
  if (target_ == nullptr || !needs_registers(expression)) return evaluate(expression, context);
  auto current = current_thread();
  if (!current) return tl::unexpected<Error>(std::move(current).error());
  if (current->known != RegistersKnown::all)
    return fail(ErrorKind::not_found, fmt::format("the registers of thread {} are not known", current_tid_));
  context.registers = &current->registers;
  return evaluate(expression, context);
}

Result<uint64_t> ConsoleSession::value(std::string_view text) {
  auto expression = parse_expression(text, expression_names_, radix_);
  if (!expression) return tl::unexpected<Error>(std::move(expression).error());
  return value_of(*expression);
}

Result<uint64_t> ConsoleSession::leading_value(std::string_view text, std::string_view& rest) {
  auto expression = parse_leading_expression(text, expression_names_, rest, radix_);
  if (!expression) return tl::unexpected<Error>(std::move(expression).error());
  return value_of(*expression);
}

std::string ConsoleSession::prompt() const {
  auto number = number_of(current_tid_);
  std::string_view shown = std::string_view(name_).substr(name_.rfind('/') + 1);
  return number ? fmt::format("culprit {}:{:03}> ", printable(shown), *number)
                : fmt::format("culprit {}> ", printable(shown));
}

std::string ConsoleSession::status() {
  std::string text;
  if (target_ != nullptr) {
    const TargetInfo& info = target_->info();
    bool is_core = info.kind == TargetKind::core;
    text += fmt::format("{} {}: {}\n", is_core ? "core of process" : "process", info.pid,
                        printable(info.command.empty() ? info.executable : info.command));
    if (info.signal != 0) {
      const char* name = sigabbrev_np(info.signal);
      text += fmt::format("died of signal {}{}", info.signal, name != nullptr ? fmt::format(" (SIG{})", name) : "");
      if (auto number = number_of(info.signal_tid))
        text += fmt::format(" in thread {} (tid {})", *number, info.signal_tid);
      text += "\n";
    }
    auto missing =
        std::ranges::count_if(target_->modules(), [](const TargetModule& each) { return !each.missing.empty(); });
    text += fmt::format("{}, {}", counted(tids_.size(), "thread"), counted(target_->modules().size(), "module"));
    if (missing != 0) text += fmt::format(", of {} the file is missing (lmv)", missing);
    if (target_->longest_stop() != 0)
      text += fmt::format("; a thread was stopped for {:.1f} ms at most",
                          static_cast<double>(target_->longest_stop()) / 1e6);
    text += "\n";
    for (const Loss& loss : info.losses)
      text += fmt::format("partial: {}{}{}\n", meaning_of(loss.kind).meaning, loss.detail.empty() ? "" : ": ",
                          printable(loss.detail));
  }
  if (handles_ != nullptr) text += handles_->status();
  return text;
}

std::vector<std::string> ConsoleSession::completions(const ConsoleLine& line, const std::string& word, size_t most) {
  std::vector<std::string> found;
  if (line.word.starts_with("~~") || word.starts_with("~")) {
    for (uint32_t tid : tids_) found.push_back(fmt::format("~~[{:x}]", tid));
  } else if (const Command* command = find_command(line.word); command != nullptr && word.starts_with("-")) {
    for (const OptionRow& option : command->options) found.emplace_back(option.name);
  } else if (names_ != nullptr) {
    return names_->completions(word, most);
  }
  std::erase_if(found, [&](const std::string& each) { return !each.starts_with(word); });
  return found;
}

}  // namespace culprit
