// Which lives of handles a question is about.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "analysis/handle_life.h"
#include "analysis/pattern.h"
#include "analysis/stack_symbols.h"
#include "model/trace.h"

namespace culprit {

enum class Lives : uint8_t {
  outstanding,  // made while we looked, and nothing in the program has closed them
  all,
};

// Made while somebody looked: neither there before, nor a copy of such a one.
bool creation_seen(const HandleLife& life);

struct LifeFilter {
  std::vector<std::string> processes;  // that own it: pid, or glob for the name; empty: all
  std::vector<std::string> types;      // globs; empty: all
  std::optional<Pattern> stack;  // to be found in some frame of the creating stack: function, file:line or module …
  std::optional<Pattern> not_stack;  // … in none
  Time min_age = 0;                  // open for at least so long
  Time from = INT64_MIN;             // made before (copies: the original): not
  Time to = INT64_MAX;               // looked at as if the recording had ended then
  Lives lives = Lives::outstanding;

  bool asks_for_stacks() const { return stack || not_stack; }
};

// Stacks by StackId; empty: all of them.
using StackChoice = std::vector<bool>;

// Replays the recording when the filter asks for stacks: only those in use are looked up.
Result<StackChoice> choose_stacks(Trace& trace, const LifeFilter& filter, StackSymbols& symbols);

// Hands on the lives that the filter lets through.
class LifeGate final : public HandleLifeSink {
 public:
  // All must outlive this.
  LifeGate(const TraceTables& tables, const LifeFilter& filter, const StackChoice& choice, HandleLifeSink& next);

  void on_life(const HandleLife& life) override;
  bool lets_through(const HandleLife& life);
  bool owner_wanted(ProcessId process);

  // Outstanding ones that were left out because they were made before the recording, or before `from`.
  uint64_t existing = 0, older = 0;

 private:
  enum class Known : uint8_t { not_yet, yes, no };
  bool type_wanted(StringId type);

  const TraceTables& tables_;
  const LifeFilter& filter_;
  const StackChoice& choice_;
  HandleLifeSink& next_;
  std::vector<Known> owners_, types_;  // index: ProcessId, StringId
};

}  // namespace culprit
