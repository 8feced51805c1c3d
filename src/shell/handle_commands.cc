// The commands about handles: `run` and `handles`.
#include "shell/handle_commands.h"

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <functional>
#include <memory>

#include "base/text.h"
#include "capture/ladder.h"
#include "capture/recorder.h"
#include "model/signals.h"
#include "shell/agent_location.h"
#include "shell/crash_pages.h"
#include "shell/exit_looks.h"
#include "shell/handle_answer.h"
#include "shell/handle_question.h"
#include "shell/heap_recording.h"
#include "shell/inventory_command.h"
#include "shell/live_handles.h"
#include "shell/live_target.h"
#include "shell/recording_target.h"
#include "trace/trace_writer.h"

namespace culprit {

namespace {

Ending ending_of(int wait_status) {
  if (WIFSIGNALED(wait_status)) return {128 + WTERMSIG(wait_status), WTERMSIG(wait_status)};
  return {WEXITSTATUS(wait_status), 0};
}

Result<std::unique_ptr<TraceWriter>> create_recording(const std::string& path, const TraceTables& tables,
                                                      const TraceInfo& info) {
  if (path.empty()) return TraceWriter::create_temporary(tables, info);
  return TraceWriter::create(path, tables, info);
}

// Answers about the trace; true: what --fail-on-leak asks for was found.
using Reporter = std::function<Result<bool>(Trace&, const AnswerPlace&)>;

Result<Reporter> reporter_of(const Arguments& arguments) {
  if (arguments.has("--heap")) {
    auto wishes = parse_memory_wishes(arguments);
    if (!wishes) return tl::unexpected<Error>(std::move(wishes).error());
    auto kept = std::make_shared<MemoryWishes>(std::move(*wishes));
    return [kept](Trace& trace, const AnswerPlace& place) -> Result<bool> {
      auto report = answer_memory(trace, *kept, place);
      if (!report) return tl::unexpected<Error>(std::move(report).error());
      return has_leak(*report, *kept);
    };
  }
  for (const char* option : {"--outstanding", "--sample"})
    if (arguments.has(option))
      return fail(ErrorKind::usage, fmt::format("{} is about memory: it needs --heap", option));
  auto wishes = parse_report_wishes(arguments);
  if (!wishes) return tl::unexpected<Error>(std::move(wishes).error());
  auto kept = std::make_shared<ReportWishes>(std::move(*wishes));
  return [kept](Trace& trace, const AnswerPlace& place) -> Result<bool> {
    auto report = answer_handles(trace, *kept, place);
    if (!report) return tl::unexpected<Error>(std::move(report).error());
    return kept->fail_on_leak && report->has_leak();
  };
}

// What was asked of a program that has ended: reported even when the recording could not be completed.
Ending report_run(TraceWriter& writer, const RunOutcome& outcome, Crashes crashes, const Reporter& reporter,
                  const std::string& kept, const Streams& streams) {
  Ending ending = ending_of(outcome.wait_status);
  AnswerPlace place{streams.errors, streams.errors, kept.empty() ? outcome.info.command : kept, kept};
  place.crashes = &crashes;
  if (auto finished = writer.finish(outcome.info); !finished) {
    complain(streams, finished.error());
    place.recording.clear();
  }
  auto trace = writer.reopen();
  if (!trace) return complain(streams, trace.error()), ending;
  auto found = reporter(**trace, place);
  // That it could not be told must not look like success.
  if (!found) return complain(streams, found.error()), ending.status == 0 ? ended_in_failure : ending;
  return *found ? ended_with_findings : ending;
}

// Why a program that died of a signal has no page.
std::string_view why_no_page(const RunRequest& request) {
  if (request.via == Via::bpf)
    return "bpf only watches, and sees no process before it dies (--via agent and ptrace do)";
  if (request.via == Via::ptrace)
    return "a seccomp filter ended it, of which no tracer is told, or it was not traced any more";
  return "nothing of culprit could run in it then: no room was left on the stack, the signal was blocked, a sandbox "
         "was in force, or it was not followed; --via ptrace looks from outside";
}

Crashes crashes_of(const CrashPages& pages, const RunRequest& request, const RunOutcome& outcome) {
  Crashes crashes = pages.crashes();
  bool has_crashed = WIFSIGNALED(outcome.wait_status) && makes_core(WTERMSIG(outcome.wait_status));
  auto is_program = [&](const auto& each) { return each.pid == outcome.pid; };
  if (has_crashed && std::ranges::none_of(crashes.pages, is_program) &&
      std::ranges::none_of(crashes.without_page, is_program))
    crashes.without_page.push_back({outcome.pid, std::string(why_no_page(request))});
  return crashes;
}

// No program was launched whose leaks a report would name: people look at all processes first.
bool wants_groups_by_default(const Arguments& arguments, const TraceTables& tables) {
  for (std::string_view of_report : {"--json", "--fail-on-leak", "--suppressions", "--after", "--no-source"})
    if (arguments.has(of_report)) return false;
  return has_many_roots(tables);
}

Arguments with_default_groups(Arguments arguments) {
  arguments.options.emplace("--by", "default");
  return arguments;
}

Result<RunRequest> memory_request(RunRequest request, const Arguments& arguments) {
  if (arguments.has("--wrappers")) return fail(ErrorKind::usage, "--heap and --wrappers do not go together");
  if (request.via != Via::agent)
    return fail(ErrorKind::unsupported,
                fmt::format("memory is recorded by the agent inside the program, not by {}{}", name_of(request.via),
                            arguments.has("--via") ? "" : ": this program is static, or has another C library"));
  auto agent = find_agent_library(AgentKind::heap);
  if (!agent) return tl::unexpected<Error>(std::move(agent).error());
  request.agent_library = *agent;
  const uint64_t sample = arguments.bytes("--sample", 0);
  if (arguments.has("--sample") && (sample < 2 || sample > UINT32_MAX))
    return fail(ErrorKind::usage, "--sample: one of 2 bytes at least, and of 4 GiB at most, is in the sample");
  request.sample_bytes = static_cast<uint32_t>(sample);
  return request;
}

Result<RunRequest> run_request(const Arguments& arguments, ExitLooks& looks) {
  RunRequest request;
  request.command = arguments.operands;
  if (arguments.has("--via")) {
    auto via = via_named(arguments.text("--via"));
    if (!via) return tl::unexpected<Error>(std::move(via).error());
    request.via = *via;
  }
  request.via = chosen_via(request);
  request.memory = arguments.has("--heap");
  if (request.memory && !arguments.has("--outstanding"))
    request.may_end = [&looks](const ExitingProcess& exiting) { return looks.may_end(exiting); };
  if (request.memory) return memory_request(std::move(request), arguments);
  if (request.via != Via::agent) return request;
  auto agent = find_agent_library();
  if (!agent) return tl::unexpected<Error>(std::move(agent).error());
  auto wrappers = find_agent_library(AgentKind::wrapping);
  request.wrap = arguments.has("--wrappers");
  if (!wrappers && request.wrap) return tl::unexpected<Error>(std::move(wrappers).error());
  request.agent_library = *agent;
  request.wrappers_library = wrappers.value_or("");
  return request;
}

}  // namespace

Ending run_run(const Arguments& arguments, const Streams& streams) {
  auto reporter = reporter_of(arguments);
  if (!reporter) return complain(streams, reporter.error());
  ExitLooks looks;
  auto request = run_request(arguments, looks);
  if (!request) return complain(streams, request.error());
  TraceTables tables;
  std::string kept = arguments.text("--output");
  CrashPages pages;
  request->look_at_death = pages.look();
  auto writer = create_recording(kept, tables, describe_run(*request));
  if (!writer) return complain(streams, writer.error());
  auto outcome = record_run(*request, tables, **writer, [&] { (*writer)->flush(); });
  // From here on nobody else inherits our dispositions: a reader of the report that has gone away must not change how
  // we end.
  std::signal(SIGPIPE, SIG_IGN);
  if (!outcome || !outcome->started) {
    writer->reset();
    if (!kept.empty()) ::unlink((kept + ".partial").c_str());  // it would hold nothing
    if (!outcome) return complain(streams, outcome.error());
    complain(streams, outcome->not_started_why);
    return {outcome->not_started_status};
  }
  looks.hand_on(**writer);
  if (Time after = arguments.nanoseconds("--after"); after != 0)
    (*writer)->on_mark({outcome->info.started + after, "start of the window"});
  return report_run(**writer, *outcome, crashes_of(pages, *request, *outcome), *reporter, kept, streams);
}

Ending run_handles(const Arguments& arguments, const Streams& streams) {
  const std::string& target = arguments.operands.front();
  auto pid = process_target(target);
  if (!pid) return complain(streams, pid.error());
  if (arguments.has("--for") || arguments.has("--until-enter")) {
    if (!*pid) return complain(streams, fmt::format("there is no process {}", printable(target)));
    return run_live_handles(**pid, arguments, streams);
  }
  if (*pid) return run_handle_inventory(**pid, arguments, streams);
  if (may_be_core(target)) return run_core_inventory(target, arguments, streams);
  auto question = parse_handle_question(arguments);
  if (!question) return complain(streams, question.error());
  auto trace = open_recording_target(target);
  if (!trace) return complain(streams, trace.error());
  const AnswerPlace place{streams.output, streams.errors, target, target};
  if (question->asked == Asked::report && wants_groups_by_default(arguments, (*trace)->tables()))
    question = parse_handle_question(with_default_groups(arguments));
  if (!question) return complain(streams, question.error());
  if (question->asked != Asked::report) {
    auto answered = answer_question(**trace, *question, place);
    return answered ? ended_well : complain(streams, answered.error());
  }
  auto wishes = parse_report_wishes(arguments);
  if (!wishes) return complain(streams, wishes.error());
  auto report = answer_handles(**trace, *wishes, place);
  if (!report) return complain(streams, report.error());
  return wishes->fail_on_leak && report->has_leak() ? ended_with_findings : ended_well;
}

}  // namespace culprit
