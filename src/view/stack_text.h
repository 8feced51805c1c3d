// Frames and stacks as text.
#pragma once

#include <string>

#include "analysis/report_stack.h"
#include "view/text_style.h"

namespace culprit {

// "fun4()", "fun4() [inlined]", "curl_easy_init+0x1c (exported symbol)", or "libfoo.so+0x1234" when nothing names it.
std::string frame_function(const ReportFrame& frame, size_t columns);
// "src/leaky.cpp:42" (the last `directories` directories and the name), else "libfoo.so+0x1234".
std::string frame_place(const ReportFrame& frame, size_t directories, size_t columns);
// "fun4 (leaky.cpp:42)".
std::string frame_phrase(const ReportFrame& frame, size_t columns);
// "fun4 (leaky.cpp:42)": the blamed frame, else the innermost, in one phrase; "an unknown place" without a stack.
std::string blamed_phrase(const ReportStack& stack, size_t columns);
// The same and, as far as they fit, its callers: "fun4 (leaky.cpp:42) ← fun2 ← main".
std::string stack_phrase(const ReportStack& stack, size_t columns, bool unicode);
const ReportFrame* blamed_frame(const ReportStack& stack);

struct StackTextOptions {
  TextStyle style;
  size_t indent = 0;
  bool details = false;  // every frame, with the rules that passed over them
  bool source = true;
};

// The lines of the source file around the frame's, if it is at hand; else empty.
std::string source_text(const ReportFrame& frame, const StackTextOptions& options);

// Lines for the blamed frame with its source, its callers, and what was passed over. Each ends with a newline.
std::string stack_text(const ReportStack& stack, const StackTextOptions& options);

}  // namespace culprit
