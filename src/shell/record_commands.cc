#include "shell/record_commands.h"

#include <fmt/format.h>

#include <algorithm>

#include "shell/record_plan.h"
#include "shell/recorder_folder.h"

namespace culprit {

namespace {

// What it says itself, if it is at work and answers.
RecorderReport newest(const RecorderFolder& folder, RecorderReport card) {
  if (card.state != RecorderState::recording) return card;
  auto said = folder.ask(card.name, "status");
  auto report = said ? recorder_from_json(*said) : std::nullopt;
  return report ? *report : card;
}

std::string names_of(const std::vector<RecorderReport>& reports) {
  std::string list;
  for (const RecorderReport& report : reports) list += fmt::format("{}{}", list.empty() ? "" : ", ", report.name);
  return list;
}

// The one that is named, or the only one there is.
Result<RecorderReport> chosen(const RecorderFolder& folder, const Arguments& arguments) {
  std::vector<RecorderReport> cards = folder.cards();
  if (cards.empty()) return fail(ErrorKind::not_found, "no recorder is at work");
  if (arguments.operands.empty()) {
    if (cards.size() == 1) return cards.front();
    return fail(ErrorKind::usage, fmt::format("there are several recorders: say which one of {}", names_of(cards)));
  }
  auto found = std::ranges::find(cards, arguments.operands.front(), &RecorderReport::name);
  if (found != cards.end()) return *found;
  return fail(ErrorKind::not_found,
              fmt::format("there is no recorder {}; there are {}", arguments.operands.front(), names_of(cards)));
}

// Tells it to end; if it has ended already, says how, and forgets it.
Result<RecorderReport> end_it(const Arguments& arguments, std::string_view request) {
  auto folder = RecorderFolder::open();
  if (!folder) return tl::unexpected<Error>(folder.error());
  auto card = chosen(*folder, arguments);
  if (!card) return card;
  if (card->state != RecorderState::recording) {
    folder->forget(card->name);
    return card;
  }
  auto said = folder->ask(card->name, request);
  if (!said) return tl::unexpected<Error>(said.error());
  auto report = recorder_from_json(*said);
  if (!report) return fail(ErrorKind::system, "the recorder said something that is not understood");
  return *report;
}

}  // namespace

Ending run_record_start(const Arguments& arguments, const Streams& streams) {
  auto plan = parse_record_plan(arguments);
  if (!plan) return complain(streams, plan.error());
  auto folder = RecorderFolder::open();
  if (!folder) return complain(streams, folder.error());
  auto begun = start_recorder(std::move(*plan), *folder);
  if (!begun) return complain(streams, begun.error());
  return answer(streams, arguments.has("--json") ? recorder_as_json(*begun) : recorder_begun_text(*begun));
}

Ending run_record_stop(const Arguments& arguments, const Streams& streams) {
  auto report = end_it(arguments, "stop");
  if (!report) return complain(streams, report.error());
  return answer(streams, arguments.has("--json") ? recorder_as_json(*report) : recorder_ended_text(*report),
                report->state == RecorderState::ended ? ended_well : ended_in_failure);
}

Ending run_record_status(const Arguments& arguments, const Streams& streams) {
  auto folder = RecorderFolder::open();
  if (!folder) return complain(streams, folder.error());
  std::vector<RecorderReport> reports;
  if (arguments.operands.empty()) {
    reports = folder->cards();
  } else {
    auto one = chosen(*folder, arguments);
    if (!one) return complain(streams, one.error());
    reports.push_back(std::move(*one));
  }
  for (RecorderReport& report : reports) report = newest(*folder, std::move(report));
  return answer(streams, arguments.has("--json") ? recorders_as_json(reports) : recorder_status_text(reports));
}

Ending run_record_cancel(const Arguments& arguments, const Streams& streams) {
  auto report = end_it(arguments, "cancel");
  if (!report) return complain(streams, report.error());
  if (arguments.has("--json")) return answer(streams, recorder_as_json(*report));
  std::string text = report->state == RecorderState::recording
                         ? fmt::format("{}: cancelled; nothing is kept of it\n", report->name)
                         : fmt::format("{}: had ended already; {} is kept\n", report->name, report->file);
  return answer(streams, text);
}

}  // namespace culprit
