// What all threads of a target do: the answer to `culprit stacks`. All strings from outside are raw.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "analysis/handle_report.h"
#include "analysis/missing_modules.h"
#include "analysis/report_stack.h"
#include "analysis/target_stacks.h"
#include "target/target.h"

namespace culprit {

struct ThreadQuestion {
  std::string thread;  // a tid, or a name (* and ? match); empty: all
  std::string find;    // part of a function's name, or a pattern for all of it; empty: any stack
  bool names = true;   // false: no symbols, and only what has the same addresses is one group
};

struct ReportThread {
  uint32_t tid = 0;
  std::string name;
  char state = '?';
  std::string wait;             // "reads from fd 5 (pipe)"; empty: unknown
  double stopped_for = 0;       // seconds that we kept it standing
  std::string unknown_because;  // why there is no stack, or not all of it; empty: there is
};

// Threads that do the same. Those whose stack is unknown are no group.
struct ThreadGroup {
  std::vector<size_t> threads;  // index into ThreadReport::threads
  std::string wait;
  ReportStack stack;
  std::vector<uint64_t> addresses;  // absolute, of the frames that are not inlined, of the first of them
  std::vector<size_t> found;        // frames that match ThreadQuestion::find
};

struct ThreadReport {
  TargetKind kind = TargetKind::live;
  std::string target, executable, command;
  std::string death;  // of a core: what ended the process, in words; empty: nothing did
  uint32_t pid = 0;
  std::vector<ReportThread> threads;  // that were asked for, ascending by tid
  size_t all_threads = 0;
  std::vector<ThreadGroup> groups;  // own code first, then what most threads do
  std::vector<size_t> unknown;      // threads without a stack
  double longest_stop = 0;          // seconds
  size_t stopped = 0;               // threads that were
  std::vector<MissingModule> missing;
  std::vector<MergedLoss> losses;
  bool exact = true;
};

Result<ThreadReport> report_threads(Target& target, const SymbolLookup& lookup, const ThreadQuestion& question);
// With what `stacks` knows already; whether there are names is up to it.
Result<ThreadReport> report_threads(Target& target, TargetStacks& stacks, const ThreadQuestion& question);

}  // namespace culprit
