#include "view/allocation_views.h"
#include "view/crash_json.h"
#include "view/report_json.h"

namespace culprit {

namespace {

Json count_json(const BlockCount& count) { return {{"count", count.blocks}, {"bytes", count.bytes}}; }

// What was found is told, even if there may be more.
bool is_known_of(bool looked_at, const BlockCount& unreachable) { return looked_at || unreachable.blocks != 0; }

bool tells_temporary(const AllocationReport& report) {
  return report.kind == RecordedMemory::blocks && report.sampled_every == 0;
}

Json group_json(const AllocationReport& report, const AllocationGroup& group) {
  Json json = {{"count", group.outstanding.blocks}, {"bytes", group.outstanding.bytes}};
  if (report.by == AllocationKey::size) json["size"] = group.largest;
  json["unreachable"] = count_json(group.unreachable);
  json["indirect"] = group.indirect;
  json["behind"] = count_json(group.behind);
  json["function"] = group.function;
  if (report.kind == RecordedMemory::mappings) json["mapping"] = group.mapping;
  json["made"] = count_json(group.made);
  json["at_peak"] = count_json(group.at_peak);
  json["most"] = count_json(group.most);
  json["most_at"] = number_or_null(group.most_at);
  json["temporary"] = tells_temporary(report) ? Json(group.temporary) : Json(nullptr);
  json["smallest"] = group.smallest;
  json["largest"] = group.largest;
  json["verdict"] = word(name_of(group.verdict));
  json["evidence"] = group.evidence;
  json["bytes_per_second"] = number_or_null(group.rate);
  json["first"] = number_or_null(group.first);
  json["last"] = number_or_null(group.last);
  json["bytes_at_looks"] = group.looks;
  json["most_bytes_over_time"] = group.series;
  if (report.by == AllocationKey::stack) {
    json["blamed"] = blamed_json(group.stack);
    json["stack_truncated"] = group.stack.truncated;
    json["stack"] = frames_json(group.stack);
  }
  return json;
}

Json memory_json(const ProcessMemoryReport& process) {
  return {
      {"name", utf8(process.name)},
      {"pid", process.pid},
      {"made", count_json(process.made)},
      {"outstanding", count_json(process.outstanding)},
      {"unreachable", is_known_of(process.looked_at, process.unreachable) ? count_json(process.unreachable) : Json()},
      {"not_looked_at", utf8(process.why_not)},
      {"most", count_json(process.most)},
      {"most_at", number_or_null(process.most_at)},
      {"gone_with_exec", count_json(process.gone_with_exec)},
      {"unknown_releases", process.unknown_releases},
      {"forked", process.forked}};
}

// Only with the blocks that are left.
Json mappings_json(const AllocationReport& report) {
  if (report.kind != RecordedMemory::blocks || report.view != AllocationView::outstanding) return nullptr;
  const MappingSummary& mappings = report.mappings;
  return {{"made", count_json(mappings.made)},
          {"outstanding", count_json(mappings.outstanding)},
          {"most", count_json(mappings.most)},
          {"most_at", number_or_null(mappings.most_at)}};
}

// Of a recording of all allocations: null.
Json sampled_json(const AllocationReport& report) {
  if (report.sampled_every == 0) return nullptr;
  return {{"every_bytes", report.sampled_every}, {"blocks", report.samples}};
}

}  // namespace

std::string as_json(const AllocationReport& report, const std::string& target, const Crashes* crashes) {
  Json groups = Json::array();
  for (const AllocationGroup& group : report.groups) groups.push_back(group_json(report, group));
  Json answer = {{"schema", json_schema},
                 {"target", utf8(target)},
                 {"exact", report.exact},
                 {"losses", losses_json(report.losses)},
                 {"recording",
                  {{"command", utf8(report.command)},
                   {"recorded_by", utf8(report.recorded_by)},
                   {"machine", utf8(report.machine)},
                   {"wall_clock_ns", report.wall_clock_ns},
                   {"duration", number_or_null(report.duration)},
                   {"complete", report.complete}}},
                 {"window", {{"from", number_or_null(report.from)}, {"to", number_or_null(report.to)}}},
                 {"sampled", sampled_json(report)},
                 {"memory", report.kind == RecordedMemory::blocks ? "blocks" : "mappings"},
                 {"mappings", mappings_json(report)},
                 {"by", report.by == AllocationKey::size ? "size" : "stack"},
                 {"view", word(name_of(report.view))},
                 {"totals",
                  {{"made", count_json(report.made)},
                   {"released", report.released},
                   {"outstanding", count_json(report.outstanding)},
                   {"unreachable",
                    is_known_of(report.looked_at_exit, report.unreachable) ? count_json(report.unreachable) : Json()},
                   {"unreachable_groups", report.unreachable_groups},
                   {"most", count_json(report.most)},
                   {"most_at", number_or_null(report.most_at)},
                   {"temporary", tells_temporary(report) ? Json(report.temporary) : Json(nullptr)},
                   {"most_bytes_over_time", report.series},
                   {"growing_groups", report.growing_groups},
                   {"growing", count_json(report.growing)},
                   {"groups_hidden", report.groups_hidden},
                   {"hidden", count_json(report.hidden)},
                   {"suppressed_groups", report.suppressed_groups},
                   {"suppressed", count_json(report.suppressed)}}},
                 {"groups", groups},
                 {"processes", list_json(report.processes, memory_json)}};
  if (crashes != nullptr && !crashes->empty()) answer["crashes"] = crashes_json(*crashes);
  return json_text(answer);
}

}  // namespace culprit
