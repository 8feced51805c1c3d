#include "shell/diff_command.h"

#include <fmt/format.h>

#include "base/text.h"
#include "shell/handle_question.h"
#include "shell/memory_diff.h"
#include "shell/recording_target.h"

namespace culprit {

namespace {

bool has_memory(Trace& trace) { return trace.info().allocations != 0; }

Ending diff_handles(Trace& before, Trace& after, const Arguments& arguments, const Streams& streams) {
  auto question = parse_diff_question(arguments);
  if (!question) return complain(streams, question.error());
  const std::string& first = arguments.operands.front();
  const std::string& last = arguments.operands.back();
  const AnswerPlace place{streams.output, streams.errors, last, last};
  auto answered = &before == &after ? answer_question(before, *question, place)
                                    : answer_recording_diff(before, first, after, *question, place);
  return answered ? ended_well : complain(streams, answered.error());
}

}  // namespace

Ending run_diff(const Arguments& arguments, const Streams& streams) {
  auto before = open_recording_target(arguments.operands.front());
  if (!before) return complain(streams, before.error());
  Trace* first = before->get();
  Result<std::unique_ptr<Trace>> after = fail(ErrorKind::not_found, "");
  if (arguments.operands.size() == 2) {
    after = open_recording_target(arguments.operands.back());
    if (!after) return complain(streams, after.error());
  }
  Trace* last = after ? after->get() : first;
  const bool of_handles = arguments.has("--handles");
  if (!of_handles && has_memory(*first) != has_memory(*last))
    return complain(streams, fmt::format("of the two, only {} has memory in it; --handles compares their handles",
                                         printable(arguments.operands[has_memory(*first) ? 0 : 1])));
  if (arguments.has("--mappings") && (of_handles || !has_memory(*first)))
    return complain(streams, "--mappings is about memory: `culprit run --heap -o FILE -- COMMAND` records it");
  return of_handles || !has_memory(*first) ? diff_handles(*first, *last, arguments, streams)
                                           : diff_memory_recordings(*first, *last, arguments, streams);
}

}  // namespace culprit
