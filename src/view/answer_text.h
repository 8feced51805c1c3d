// What the answers about recordings have in common as text and as JSON.
#pragma once

#include <string>

#include "analysis/answer_basis.h"
#include "view/text_style.h"

namespace culprit {

// ", process server, type socket, stack with 'curl'": what was asked for, after a comma; empty: everything.
std::string filter_words(const LifeFilter& filter);
// "in 3.2 s", "from 1.0 s to 3.2 s": the window looked at.
std::string window_words(const AnswerBasis& basis);
// "worker (pid 12)", in about so many columns.
std::string process_words(std::string_view name, uint64_t pid, size_t columns = 48);
// A stack in one phrase with its callers, from `column` on, in about so many lines. No newline at the end.
std::string stack_paragraph(const ReportStack& stack, const TextStyle& style, size_t column, size_t lines);
// "  words, wrapped and kept in its column\n"
std::string line_text(const TextStyle& style, std::string_view words, size_t indent = 2);

}  // namespace culprit
