#include "shell/heap_commands.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "analysis/heap_examination.h"
#include "base/text.h"
#include "shell/heap_live.h"
#include "shell/heap_question.h"
#include "shell/heap_recording.h"
#include "shell/inventory_command.h"
#include "shell/live_target.h"
#include "shell/target_argument.h"
#include "view/heap_views.h"

namespace culprit {

namespace {

// What only a process or core can be asked, and what only a recording can.
constexpr std::string_view of_targets[] = {"--range",       "--count",   "--size",         "--arena",     "--list",
                                           "--unreachable", "--no-stop", "--stop-at-most", "--executable"};
constexpr std::string_view of_recordings[] = {"--peak",  "--temporary",   "--over-time", "--from",
                                              "--to",    "--outstanding", "--report",    "--suppressions",
                                              "--after", "--no-source",   "--mappings"};

constexpr std::string_view of_processes[] = {"--stacks-of-size", "--suspect", "--for", "--output"};
// Beside of_targets, what cannot be asked about what is allocated from now on.
constexpr std::string_view of_the_past[] = {"--block", "--peak",  "--temporary",   "--over-time",    "--from",
                                            "--to",    "--after", "--outstanding", "--fail-on-leak", "--mappings"};

std::optional<Ending> refuse(const Arguments& arguments, const Streams& streams,
                             std::span<const std::string_view> refused, std::string_view why) {
  auto found = std::ranges::find_if(refused, [&](std::string_view option) { return arguments.has(option); });
  if (found == refused.end()) return {};
  return complain(streams, fmt::format("{} {}", *found, why));
}

Ending run_from_now_on(uint32_t pid, const Arguments& arguments, const Streams& streams) {
  if (arguments.has("--stacks-of-size") && arguments.has("--suspect"))
    return complain(streams, "--stacks-of-size and --suspect are two questions: ask one at a time");
  constexpr std::string_view why = "does not go with --stacks-of-size or --suspect";
  // Which sizes, the first of them may say.
  const bool takes_range = arguments.has("--stacks-of-size");
  auto refused = refuse(arguments, streams, std::span(of_targets).subspan(takes_range ? 1 : 0), why);
  if (!refused) refused = refuse(arguments, streams, of_the_past, why);
  if (refused) return *refused;
  return arguments.has("--suspect") ? run_suspect(pid, arguments, streams)
                                    : run_stacks_of_size(pid, arguments, streams);
}

}  // namespace

bool asks_a_target(const Arguments& arguments) {
  return arguments.text("--by") == "type" ||
         std::ranges::any_of(of_targets, [&](std::string_view option) { return arguments.has(option); });
}

Ending run_heap(const Arguments& arguments, const Streams& streams) {
  const std::string& name = arguments.operands.front();
  auto pid = process_target(name);
  if (!pid) return complain(streams, pid.error());
  if (!*pid && !may_be_core(name)) {
    auto refused = refuse(arguments, streams, of_targets, "is asked of a process or a core, and not of a recording");
    if (!refused) refused = refuse(arguments, streams, of_processes, "is asked of a process that runs");
    return refused ? *refused : run_heap_recording(arguments, streams);
  }
  if (!*pid) {
    if (auto refused = refuse(arguments, streams, of_processes, "is asked of a process that runs")) return *refused;
  } else if (arguments.has("--stacks-of-size") || arguments.has("--suspect")) {
    return run_from_now_on(**pid, arguments, streams);
  }
  auto target = open_target(name, arguments.text("--executable"));
  if (!target) return complain(streams, target.error());
  tell_of_unused(**target, arguments.text("--executable"), streams);
  return answer_heap(**target, arguments, streams);
}

Ending answer_heap(Target& target, const Arguments& arguments, const Streams& streams, const SymbolOptions& symbols) {
  auto refused = refuse(arguments, streams, of_recordings,
                        "is asked of a recording: `culprit run --heap -o FILE -- COMMAND` makes one");
  if (!refused)
    refused = refuse(arguments, streams, of_processes,
                     "is only for `culprit heap PID --stacks-of-size N` and `culprit heap PID --suspect`");
  if (refused) return *refused;
  auto question = heap_question(arguments);
  if (!question) return complain(streams, question.error());
  auto report = examine_heap(target, *question, symbols);
  if (!report) return complain(streams, report.error());
  const bool has_leak = report->unreachable && report->unreachable->direct.blocks != 0;
  return answer(streams,
                arguments.has("--json") ? heap_as_json(*report)
                                        : heap_as_text(*report, {style_of(streams.output), arguments.has("--all")}),
                has_leak && arguments.has("--fail-on-leak") ? ended_with_findings : ended_well);
}

}  // namespace culprit
