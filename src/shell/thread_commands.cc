#include "shell/thread_commands.h"

#include "analysis/thread_report.h"
#include "shell/shown_lookup.h"
#include "shell/target_argument.h"
#include "view/thread_views.h"

namespace culprit {

Ending answer_stacks(Target& target, const Arguments& arguments, const Streams& streams, const SymbolOptions& symbols) {
  ThreadQuestion question{.thread = arguments.text("--thread"), .find = arguments.text("--find")};
  bool raw = arguments.has("--raw"), all = arguments.has("--all");
  question.names = !raw;
  if (raw && !question.find.empty())
    return complain(streams, "--find looks for names of functions, and --raw looks none up: leave one of them out");
  ShownLookup shown(streams.errors, symbols);
  auto report = report_threads(target, shown.lookup(), question);
  shown.done();
  if (!report) return complain(streams, report.error());
  if (report->threads.empty() && !question.thread.empty() && question.find.empty())
    return complain(streams, "no thread of the target has the number or name " + question.thread);
  if (arguments.has("--json")) return answer(streams, threads_as_json(*report));
  ThreadTextOptions options{.style = style_of(streams.output), .details = all, .raw = raw};
  options.top = arguments.count("--top", all ? 0 : options.top);
  return answer(streams, threads_as_text(*report, options));
}

Ending run_stacks(const Arguments& arguments, const Streams& streams) {
  auto target = open_target(arguments.operands.front(), arguments.text("--executable"));
  if (!target) return complain(streams, target.error());
  tell_of_unused(**target, arguments.text("--executable"), streams);
  return answer_stacks(**target, arguments, streams);
}

}  // namespace culprit
