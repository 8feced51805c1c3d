#include "shell/console_stacks.h"

#include "shell/console_commands.h"

namespace culprit {

bool is_stack_word(std::string_view) { return false; }
void print_stacks(Console&, const ConsoleLine&, std::span<const uint32_t>) {}
std::string why_unknown(const TargetThread&) { return ""; }
std::span<const ConsoleCommand> console_stack_commands() { return {}; }

}  // namespace culprit
