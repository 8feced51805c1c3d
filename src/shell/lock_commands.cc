#include "shell/lock_commands.h"

#include "shell/lock_question.h"
#include "shell/target_argument.h"
#include "view/lock_views.h"

namespace culprit {

Ending run_locks(const Arguments& arguments, const Streams& streams) {
  auto target = open_target(arguments.operands.front(), arguments.text("--executable"));
  if (!target) return complain(streams, target.error());
  tell_of_unused(**target, arguments.text("--executable"), streams);
  return answer_locks(**target, arguments, streams);
}

Ending answer_locks(Target& target, const Arguments& arguments, const Streams& streams, const SymbolOptions& symbols,
                    const std::string& note) {
  LockQuestioner questioner(target, symbols);
  auto report = questioner.ask(arguments);
  if (!report) return complain(streams, report.error());
  if (!note.empty()) report->notes.push_back(note);
  return answer(streams, arguments.has("--json")
                             ? locks_as_json(*report)
                             : locks_as_text(*report, {style_of(streams.output), arguments.has("--all")}));
}

}  // namespace culprit
