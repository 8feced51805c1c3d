// `help` and `completion`.
#include "shell/help_commands.h"

#include <fmt/format.h>

#include <vector>

#include "shell/help.h"
#include "shell/suggest.h"

namespace culprit {

Ending complain_about_command(const Streams& streams, std::string_view word) {
  if (auto seconds = group_of(word); !seconds.empty()) {
    std::string list;
    for (std::string_view second : seconds) list += fmt::format("{}{}", list.empty() ? "" : "|", second);
    return complain(streams, fmt::format("say what to {}: culprit {} {}", word, word, list));
  }
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
  const std::string& first = arguments.operands.front();
  // "record start" may come as one word or as two.
  const Command* command = command_of(arguments.operands).command;
  if (command != nullptr) return answer(streams, command_help(*command));
  auto group = group_of(first);
  if (group.empty() || arguments.operands.size() > 1) return complain_about_command(streams, first);
  std::string text;
  for (std::string_view second : group)
    text += (text.empty() ? "" : "\n") + command_help(*find_command(fmt::format("{} {}", first, second)));
  return answer(streams, text);
}

Ending run_completion(const Arguments& arguments, const Streams& streams) {
  const std::string& shell = arguments.operands.front();
  if (shell != "bash") return complain(streams, fmt::format("there is completion for bash only, not for '{}'", shell));
  return answer(streams, bash_completion());
}

}  // namespace culprit
