// A thread's stack as the words of the k family show it.
#pragma once

#include <string>
#include <vector>

#include "analysis/report_stack.h"
#include "target/target.h"
#include "unwind/unwinder.h"

namespace culprit {

struct TakenStack {
  TargetThread thread;
  WalkedStack walked;
  ReportStack report;
};

struct StackOptions {
  bool names_only = false, numbers = false, sizes = false, source = true, how_found = false, arguments = false;
  size_t most = 256;  // frames
};

struct StackLine {
  size_t number = 0;
  std::string text;  // without its number
  const ReportFrame* frame = nullptr;
};

// `columns`: of the terminal, less what stands before each line; 0: there is none.
std::vector<StackLine> stack_lines(const TakenStack& stack, const StackOptions& options, size_t columns);
// With a heading, and what is known of arguments.
std::string stack_text(const TakenStack& stack, const StackOptions& options, size_t columns);

// "libc", of a frame whose module is known.
std::string module_of(const ReportFrame& frame);

}  // namespace culprit
