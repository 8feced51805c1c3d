#include "shell/console_rows.h"

#include "shell/words.h"

namespace culprit {

void run_command_row(Console& console, std::string_view name, const std::vector<std::string>& words) {
  const Command* command = find_command(name);
  auto arguments = parse_words(*command, words);
  if (!arguments) return console.complain(arguments.error());
  arguments->operands = {console.session().name()};
  if (command->run(*arguments, console.streams()).status == ended_in_failure.status) console.note_complaint();
}

}  // namespace culprit
