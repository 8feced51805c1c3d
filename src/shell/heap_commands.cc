#include "shell/heap_commands.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "analysis/heap_examination.h"
#include "base/text.h"
#include "shell/heap_question.h"
#include "shell/heap_recording.h"
#include "shell/inventory_command.h"
#include "shell/live_target.h"
#include "shell/target_argument.h"
#include "view/heap_views.h"

namespace culprit {

namespace {

// What only a process or core can be asked, and what only a recording can.
constexpr std::string_view of_targets[] = {"--count", "--size",        "--range",   "--arena",
                                           "--list",  "--unreachable", "--no-stop", "--executable"};
constexpr std::string_view of_recordings[] = {"--peak",  "--temporary",   "--over-time", "--from",
                                              "--to",    "--outstanding", "--report",    "--suppressions",
                                              "--after", "--no-source"};

std::optional<Ending> refuse(const Arguments& arguments, const Streams& streams,
                             std::span<const std::string_view> refused, std::string_view why) {
  auto found = std::ranges::find_if(refused, [&](std::string_view option) { return arguments.has(option); });
  if (found == refused.end()) return {};
  return complain(streams, fmt::format("{} {}", *found, why));
}

}  // namespace

Ending run_heap(const Arguments& arguments, const Streams& streams) {
  const std::string& name = arguments.operands.front();
  auto pid = process_target(name);
  if (!pid) return complain(streams, pid.error());
  if (!*pid && !may_be_core(name)) {
    const auto refused =
        refuse(arguments, streams, of_targets, "is asked of a process or a core, and not of a recording");
    return refused ? *refused : run_heap_recording(arguments, streams);
  }
  if (auto refused = refuse(arguments, streams, of_recordings,
                            "is asked of a recording: `culprit run --heap -o FILE -- COMMAND` makes one"))
    return *refused;
  auto target = open_target(name, arguments.text("--executable"));
  if (!target) return complain(streams, target.error());
  return answer_heap(**target, arguments, streams);
}

Ending answer_heap(Target& target, const Arguments& arguments, const Streams& streams, const SymbolOptions& symbols) {
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
