// `help` and `completion`.
#include "shell/help_commands.h"

#include <fmt/format.h>

#include <vector>

#include "shell/help.h"
#include "shell/suggest.h"

namespace culprit {

Ending complain_about_command(const Streams& streams, std::string_view word) {
  std::vector<std::string_view> names;
  for (const Command& command : all_commands()) names.push_back(command.name);
  std::string_view near = nearest(word, names);
  std::string hint =
      near.empty() ? "`culprit help` lists the commands" : fmt::format("did you mean `culprit {}`?", near);
  return complain(streams, fmt::format("there is no command '{}'; {}", word, hint));
}

Ending run_help(const Arguments& arguments, const Streams& streams) {
  if (arguments.has("--markdown")) return answer(streams, commands_markdown());
  if (arguments.operands.empty()) return answer(streams, overview_help());
  const Command* command = find_command(arguments.operands.front());
  if (command == nullptr) return complain_about_command(streams, arguments.operands.front());
  return answer(streams, command_help(*command));
}

Ending run_completion(const Arguments& arguments, const Streams& streams) {
  const std::string& shell = arguments.operands.front();
  if (shell != "bash") return complain(streams, fmt::format("there is completion for bash only, not for '{}'", shell));
  return answer(streams, bash_completion());
}

}  // namespace culprit
