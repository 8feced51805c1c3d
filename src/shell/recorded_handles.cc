#include "shell/recorded_handles.h"

#include <fmt/core.h>

#include "base/text.h"
#include "shell/console_session.h"
#include "shell/handle_question.h"
#include "shell/heap_recording.h"
#include "shell/live_target.h"
#include "shell/moments.h"
#include "shell/words.h"

namespace culprit {

namespace {

// "[FROM [TO]]" among options, as options.
std::vector<std::string> words_of_moments(const std::vector<std::string>& words) {
  std::vector<std::string> options;
  size_t moments = 0;
  for (const std::string& word : words) {
    bool is_moment = !word.starts_with("-") && moments < 2 && (options.empty() || !options.back().starts_with("--t"));
    if (is_moment) options.emplace_back(moments++ == 0 ? "--from" : "--to");
    options.push_back(word);
  }
  return options;
}

}  // namespace

RecordedHandles::RecordedHandles(std::unique_ptr<LiveSession> session, std::string target, std::string kept)
    : session_(std::move(session)), target_(std::move(target)), kept_(std::move(kept)) {}

RecordedHandles::RecordedHandles(std::unique_ptr<Trace> trace, std::string path)
    : trace_(std::move(trace)), target_(path), kept_(path) {}

Result<Trace*> RecordedHandles::trace() {
  if (session_ != nullptr) {
    auto recorded = is_finished_ ? session_->finished() : session_->so_far();
    if (!recorded) return tl::unexpected<Error>(std::move(recorded).error());
    trace_ = std::move(*recorded);
  }
  return trace_.get();
}

void RecordedHandles::ask(Console& console, const Result<HandleQuestion>& question) {
  if (!question) return console.complain(question.error());
  auto recorded = trace();
  if (!recorded) return console.complain(recorded.error());
  AnswerPlace place{console.streams().output, console.streams().errors, target_, kept_, console.session().symbols()};
  if (auto answered = answer_question(**recorded, *question, place); !answered) console.complain(answered.error());
}

void RecordedHandles::mark(Console& console, const std::vector<std::string>& words) {
  if (!is_recording())
    return console.complain({ErrorKind::usage, session_ != nullptr ? "nothing is recorded any more"
                                                                   : "a finished recording gets no marks"});
  std::string name = words.empty() ? fmt::format("mark {}", ++marks_) : words[0];
  session_->mark(name);
  console.print(fmt::format("marked: {}\n", name));
}

void RecordedHandles::diff(Console& console, const std::vector<std::string>& words) {
  auto arguments = parse_words(*find_command("diff"), words_of_moments(words));
  if (!arguments) return console.complain(arguments.error());
  arguments->operands = {target_};
  ask(console, parse_diff_question(*arguments));
}

void RecordedHandles::handles(Console& console, const std::vector<std::string>& words) {
  auto arguments = parse_words(*find_command("handles"), words);
  if (!arguments) return console.complain(arguments.error());
  arguments->operands = {target_};
  auto question = parse_handle_question(*arguments);
  if (!question || question->asked != Asked::report) return ask(console, question);
  auto wishes = parse_report_wishes(*arguments);
  if (!wishes) return console.complain(wishes.error());
  auto recorded = trace();
  if (!recorded) return console.complain(recorded.error());
  AnswerPlace place{console.streams().output, console.streams().errors, target_, kept_, console.session().symbols()};
  if (auto report = answer_handles(**recorded, *wishes, place); !report) console.complain(report.error());
}

void RecordedHandles::record_memory(Console& console) {
  if (session_ == nullptr) return console.complain({ErrorKind::usage, "a finished recording records nothing more"});
  if (auto begun = session_->record_memory(); !begun) return console.complain(begun.error());
  has_memory_ = true;
  console.print(fmt::format("recording what {} allocates from now on: `heap` tells what of it is left\n{}", target_,
                            about_stops(session_->status())));
}

void RecordedHandles::leave_memory(Console& console) {
  if (session_ == nullptr) return console.complain({ErrorKind::usage, "a finished recording records nothing more"});
  if (auto ended = session_->leave_memory(); !ended) return console.complain(ended.error());
  console.print("what it allocates is not recorded any more; `heap` tells what was left\n");
}

void RecordedHandles::memory(Console& console, const std::vector<std::string>& words) {
  auto arguments = parse_words(*find_command("heap"), words);
  if (!arguments) return console.complain(arguments.error());
  arguments->operands = {target_};
  auto wishes = parse_memory_wishes(*arguments);
  if (!wishes) return console.complain(wishes.error());
  auto recorded = trace();
  if (!recorded) return console.complain(recorded.error());
  if (arguments->has("--block")) {
    const Ending ending = answer_block(**recorded, *arguments, wishes->report, console.streams());
    if (ending.status == ended_in_failure.status) console.note_complaint();
    return;
  }
  AnswerPlace place{console.streams().output, console.streams().errors, target_, kept_, console.session().symbols()};
  if (auto report = answer_memory(**recorded, *wishes, place); !report) console.complain(report.error());
}

void RecordedHandles::memory_diff(Console& console, const std::vector<std::string>& words) {
  std::vector<std::string> options = words_of_moments(words);
  if (options.empty() || options[0] != "--from") {
    auto recorded = trace();
    if (!recorded) return console.complain(recorded.error());
    auto mark = newest_mark(**recorded, INT64_MAX);
    if (!mark) return console.complain(mark.error());
    options.insert(options.end(), {"--from", mark->name});
  }
  memory(console, options);
}

std::string RecordedHandles::status() {
  if (session_ == nullptr) return fmt::format("recording {}\n", printable(kept_));
  RecorderStatus now = session_->status();
  return fmt::format("{} {} by {}: {} events, {} lost, {} process{}; {} bytes recorded\n",
                     is_finished_ ? "recorded" : "recording", target_, session_->back_end(), now.events, now.lost,
                     now.processes, now.processes == 1 ? "" : "es", session_->bytes_written());
}

Result<void> RecordedHandles::finish() {
  if (session_ == nullptr || std::exchange(is_finished_, true)) return {};
  return session_->finish();
}

std::string RecordedHandles::about_release() {
  return fmt::format("{} was let go\n{}", target_, about_stops(session_->status()));
}

std::string RecordedHandles::note_end() {
  if (!is_recording() || has_told_end_ || session_->has_targets()) return "";
  has_told_end_ = true;
  return fmt::format("{} has ended; what was recorded can still be asked\n", target_);
}

}  // namespace culprit
