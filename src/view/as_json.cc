#include "view/as_json.h"

#include "view/crash_json.h"
#include "view/report_json.h"

namespace culprit {

namespace {

Json processes_json(const std::vector<ProcessCount>& processes) {
  Json list = Json::array();
  for (const ProcessCount& process : processes)
    list.push_back({{"name", utf8(process.name)}, {"pid", process.pid}, {"count", process.count}});
  return list;
}

Json closing_json(const HandleGroup& group) {
  Json list = Json::array();
  for (const ClosingPlace& place : group.closing_stacks)
    list.push_back({{"count", place.count}, {"stack", frames_json(place.stack)}, {"blamed", blamed_json(place.stack)}});
  return list;
}

Json lifetimes_json(const LifetimeSummary& lifetimes) {
  if (lifetimes.count == 0) return nullptr;
  return {{"count", lifetimes.count},
          {"median", number_or_null(lifetimes.median)},
          {"p90", number_or_null(lifetimes.p90)},
          {"longest", number_or_null(lifetimes.longest)}};
}

Json group_json(const HandleGroup& group) {
  return {{"count", group.count},
          {"type", utf8(group.type)},
          {"call", utf8(group.call)},
          {"how_created", word(name_of(group.how_created))},
          {"how_closed", word(name_of(group.how_closed))},
          {"verdict", word(name_of(group.verdict))},
          {"leak", group.leak},
          {"evidence", utf8(group.evidence)},
          {"created", group.created},
          {"closed", group.closed},
          {"at_exit", group.at_exit},
          {"created_by", counts_json<HowCreated>(group.created_by)},
          {"closed_by", counts_json<HowClosed>(group.closed_by)},
          {"rate", number_or_null(group.rate)},
          {"first_created", number_or_null(group.first_created)},
          {"last_created", number_or_null(group.last_created)},
          {"series", group.series},
          {"creating", processes_json(group.creating)},
          {"owning", processes_json(group.owning)},
          {"closing", processes_json(group.closing)},
          {"processes", group.processes},
          {"lifetimes", lifetimes_json(group.lifetimes)},
          {"examples", list_json(group.examples, example_json)},
          {"stack", frames_json(group.stack)},
          {"truncated", group.stack.truncated},
          {"blamed", blamed_json(group.stack)},
          {"closing_stacks", closing_json(group)}};
}

constexpr std::string_view end_words[] = {"running", "exited", "killed"};
std::string_view end_word(ProcessEnd end) { return end_words[static_cast<size_t>(end)]; }
constexpr std::string_view sight_words[] = {"agent", "wrappers", "handle_table", "bpf", "ptrace", "imported"};

Json time_left_json(const std::optional<TimeLeft>& left) {
  if (!left) return nullptr;
  return {{"limit", left->limit},
          {"open", left->open},
          {"growth", number_or_null(left->growth)},
          {"seconds", number_or_null(left->seconds)},
          {"sentence", utf8(left->sentence)}};
}

Json process_report_json(const ProcessReport& process) {
  return {{"name", utf8(process.name)},
          {"command", utf8(process.command)},
          {"pid", process.pid},
          {"parent_pid", process.parent_pid},
          {"started", number_or_null(process.started)},
          {"ended", process.ended ? number_or_null(*process.ended) : Json(nullptr)},
          {"end", end_word(process.end)},
          {"status", process.status},
          {"sight", sight_words[static_cast<size_t>(process.sight)]},
          {"sight_reason", utf8(process.sight_reason)},
          {"created", process.created},
          {"inherited", process.inherited},
          {"closed", process.closed},
          {"failed_closes", process.failed_closes},
          {"open_at_end", process.open_at_end},
          {"most_open", process.most_open},
          {"limit", process.limit},
          {"time_left", time_left_json(process.time_left)}};
}

Json unknown_json(const UnknownHandle& handle) {
  return {{"value", handle.value},
          {"type", utf8(handle.type)},
          {"name", utf8(handle.name)},
          {"process", utf8(handle.process)},
          {"pid", handle.pid},
          {"seen", number_or_null(handle.seen)},
          {"how_closed", word(name_of(handle.how_closed))}};
}

Json suppression_json(const SuppressionUse& use) {
  return {{"name", utf8(use.name)}, {"line", use.line}, {"groups", use.groups}, {"handles", use.handles}};
}

Json totals_json(const HandleReport& report) {
  return {{"created", report.created},
          {"closed", report.closed},
          {"outstanding", report.outstanding},
          {"inherited", report.inherited},
          {"existing", report.existing},
          {"before_window", report.before_window},
          {"leaking_groups", report.leaking_groups},
          {"leaked", report.leaked},
          {"groups_hidden", report.groups_hidden},
          {"handles_hidden", report.handles_hidden},
          {"unknown", report.unknown_total},
          {"suppressed_groups", report.suppressed_groups},
          {"suppressed_handles", report.suppressed_handles}};
}

Json recording_json(const HandleReport& report) {
  return {{"command", utf8(report.command)},
          {"recorded_by", utf8(report.recorded_by)},
          {"machine", utf8(report.machine)},
          {"wall_clock_ns", report.wall_clock_ns},
          {"duration", number_or_null(report.duration)},
          {"window_start", number_or_null(report.window_start)},
          {"complete", report.complete},
          {"pid", report.pid},
          {"end", end_word(report.end)},
          {"status", report.status}};
}

}  // namespace

std::string as_json(const HandleReport& report, const std::string& target, const Crashes* crashes) {
  Json answer = {{"schema", json_schema},
                 {"target", utf8(target)},
                 {"exact", report.exact},
                 {"losses", losses_json(report.losses)},
                 {"recording", recording_json(report)},
                 {"totals", totals_json(report)},
                 {"groups", list_json(report.groups, group_json)},
                 {"types", list_json(report.types,
                                     [](const TypeTotal& total) {
                                       return Json{{"type", utf8(total.type)},
                                                   {"created", total.created},
                                                   {"closed", total.closed},
                                                   {"outstanding", total.outstanding}};
                                     })},
                 {"processes", list_json(report.processes, process_report_json)},
                 {"unknown", list_json(report.unknown, unknown_json)},
                 {"rules", list_json(report.rules,
                                     [](const BlameRuleUse& use) {
                                       return Json{{"rule", use.rule}, {"reason", use.reason}, {"frames", use.frames}};
                                     })},
                 {"suppressions", list_json(report.suppressions, suppression_json)}};
  if (!report.handles.empty() || report.handles_left_out != 0) {
    answer["handles"] = list_json(report.handles, handle_json);
    answer["handles_left_out"] = report.handles_left_out;
  }
  if (crashes != nullptr && !crashes->empty()) answer["crashes"] = crashes_json(*crashes);
  return json_text(answer);
}

}  // namespace culprit
