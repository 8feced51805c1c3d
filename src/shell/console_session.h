// What the console is about: a target with a current thread, its symbols, and what its handles did, if that is
// recorded.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "analysis/stack_symbols.h"
#include "analysis/target_names.h"
#include "arch/instructions.h"
#include "shell/console.h"
#include "shell/expression.h"
#include "shell/recorded_handles.h"
#include "shell/run_control.h"
#include "view/memory_text.h"

namespace culprit {

// Where commands without an address go on.
struct ConsolePlaces {
  std::optional<uint64_t> memory, code;
  DumpForm form = DumpForm::bytes;
  std::string file;  // of source
  uint32_t line = 0, count = 0;
};

class ConsoleSession {
 public:
  // `name`: as it was typed.
  explicit ConsoleSession(std::string name) : name_(std::move(name)) {}

  const std::string& name() const { return name_; }

  // ---- the target
  void set_target(std::unique_ptr<Target> target);
  Target* target() { return target_.get(); }  // null: what is asked is a recording
  // Of a live process.
  Result<RunControl*> run_control();
  // For commands that need one: the error says what there is instead.
  Result<Target*> needed_target();
  // Forgets symbols and what was known of modules; of a live process looks again.
  Result<void> reload();

  // ---- handles
  void set_handles(std::unique_ptr<RecordedHandles> handles) { handles_ = std::move(handles); }
  RecordedHandles* handles() { return handles_.get(); }  // null: nothing is recorded

  // ---- threads, which are numbered as they are first seen
  Result<std::vector<TargetThread>> threads(ThreadWish wish);
  std::optional<uint32_t> number_of(uint32_t tid) const;
  std::optional<uint32_t> tid_of(uint64_t number) const;
  uint32_t current_tid() const { return current_tid_; }
  void make_current(uint32_t tid) { current_tid_ = tid; }
  // With all registers, as far as they can be had.
  Result<TargetThread> thread(uint32_t tid);
  Result<TargetThread> current_thread() { return thread(current_tid_); }

  // ---- symbols
  TargetNames& names() { return *names_; }
  AddressWords words();
  const SymbolOptions& symbols() const { return options_; }
  void set_debug_directories(std::vector<std::string> directories);
  Symbolizer& symbolizer();
  // Names that are not looked up because Ctrl-C was pressed stay empty.
  SymbolLookup lookup();
  Result<Disassembler*> disassembler();

  // ---- expressions, with the registers of the current thread
  Result<uint64_t> value(std::string_view expression);
  // As parse_leading_expression.
  Result<uint64_t> leading_value(std::string_view text, std::string_view& rest);
  Result<uint64_t> value_of(const Expression& expression);
  ExpressionNames& expression_names() { return expression_names_; }
  unsigned radix() const { return radix_; }
  void set_radix(unsigned radix) { radix_ = radix; }

  ConsolePlaces& places() { return places_; }
  std::string prompt() const;
  // What is asked, in a few lines.
  std::string status();
  std::vector<std::string> completions(const ConsoleLine& line, const std::string& word, size_t most);

 private:
  struct Names final : ExpressionNames {
    explicit Names(ConsoleSession& its_session) : session(its_session) {}
    bool is_module(std::string_view name) override;
    Result<uint64_t> address_of(std::string_view name) override;
    ConsoleSession& session;
  };

  std::string name_;
  std::unique_ptr<Target> target_;
  DebuggedTarget* debugged_ = nullptr;  // the target, if it is a live process
  std::unique_ptr<RunControl> run_control_;
  std::unique_ptr<RecordedHandles> handles_;
  std::vector<uint32_t> tids_;  // index: the thread's number
  uint32_t current_tid_ = 0;
  SymbolOptions options_;
  std::unique_ptr<TargetNames> names_;
  std::optional<Symbolizer> symbolizer_;
  std::optional<Disassembler> disassembler_;
  Names expression_names_{*this};
  unsigned radix_ = default_radix;
  ConsolePlaces places_;
};

}  // namespace culprit
