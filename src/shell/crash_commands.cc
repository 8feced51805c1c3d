#include "shell/crash_commands.h"

#include "analysis/crash_report.h"
#include "shell/lock_question.h"
#include "shell/progress.h"
#include "shell/target_argument.h"
#include "view/crash_views.h"

namespace culprit {

Ending answer_crash(Target& target, const Arguments& arguments, const Streams& streams) {
  Progress progress(streams.errors, "looking up addresses");
  Symbolizer symbolizer;
  TargetNames names(target, {});
  LockQuestioner locks(target);
  CrashHelpers helpers{.names = names};
  helpers.lookup = [&](std::span<const SymbolRequest> requests) {
    return symbolizer.symbolize(requests, [&](size_t done, size_t total) { progress.show(done, total); });
  };
  helpers.symbols = [&](const Module& module) { return symbolizer.used_for(module); };
  helpers.locks = locks.helpers();
  auto report = report_crash(target, helpers);
  progress.erase();
  if (!report) return complain(streams, report.error());
  if (arguments.has("--json")) return answer(streams, crash_as_json(*report));
  return answer(streams, crash_as_text(*report, {.style = style_of(streams.output),
                                                 .brief = arguments.has("--brief"),
                                                 .details = arguments.has("--all")}));
}

Ending run_crash(const Arguments& arguments, const Streams& streams) {
  std::string executable = arguments.operands.size() > 1 ? arguments.operands[1] : arguments.text("--executable");
  auto target = open_target(arguments.operands.front(), executable);
  if (!target) return complain(streams, target.error());
  return answer_crash(**target, arguments, streams);
}

}  // namespace culprit
