// Stacks at the console: k and what goes with it.
#pragma once

#include "shell/console_session.h"

namespace culprit {

// "k", "kvn", "kL" …
bool is_stack_word(std::string_view word);
// As that word and what follows it say, of these threads.
void print_stacks(Console& console, const ConsoleLine& line, std::span<const uint32_t> tids);

// Why there is no stack or register of it, in a sentence.
std::string why_unknown(const TargetThread& thread);

}  // namespace culprit
