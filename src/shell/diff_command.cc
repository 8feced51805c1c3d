#include "shell/diff_command.h"

#include "shell/handle_question.h"
#include "shell/recording_target.h"

namespace culprit {

Ending run_diff(const Arguments& arguments, const Streams& streams) {
  auto question = parse_diff_question(arguments);
  if (!question) return complain(streams, question.error());
  const std::string& first = arguments.operands.front();
  const std::string& last = arguments.operands.back();
  auto before = open_recording_target(first);
  if (!before) return complain(streams, before.error());
  const AnswerPlace place{streams.output, streams.errors, last, last};
  if (arguments.operands.size() == 1) {
    auto answered = answer_question(**before, *question, place);
    return answered ? ended_well : complain(streams, answered.error());
  }
  auto after = open_recording_target(last);
  if (!after) return complain(streams, after.error());
  auto answered = answer_recording_diff(**before, first, **after, *question, place);
  return answered ? ended_well : complain(streams, answered.error());
}

}  // namespace culprit
