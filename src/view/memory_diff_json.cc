#include "view/memory_diff_views.h"
#include "view/report_json.h"

namespace culprit {

namespace {

Json count_json(const BlockCount& count) { return {{"count", count.blocks}, {"bytes", count.bytes}}; }

Json side_json(const MemoryDiffSide& side, const std::string& name) {
  return {{"name", utf8(name)},
          {"recording",
           {{"command", utf8(side.command)},
            {"recorded_by", utf8(side.recorded_by)},
            {"machine", utf8(side.machine)},
            {"wall_clock_ns", side.wall_clock_ns},
            {"duration", number_or_null(side.duration)},
            {"complete", side.complete}}},
          {"window", {{"from", number_or_null(side.from)}, {"to", number_or_null(side.to)}}},
          {"outstanding", count_json(side.outstanding)},
          {"made", count_json(side.made)}};
}

Json row_json(const MemoryDiffRow& row) {
  return {{"change", name_of(row.change)},    {"growth", row.growth()},
          {"before", count_json(row.before)}, {"after", count_json(row.after)},
          {"made_before", row.made_before},   {"made_after", row.made_after},
          {"blamed", blamed_json(row.stack)}, {"stack_truncated", row.stack.truncated},
          {"stack", frames_json(row.stack)}};
}

}  // namespace

std::string memory_diff_as_json(const MemoryDiff& diff, const MemoryDiffNames& names, const std::string& target) {
  Json changes = Json::object();
  for (size_t i = 0; i < stack_change_count; ++i) changes[name_of(static_cast<StackChange>(i))] = diff.rows_by[i];
  Json modules = Json::array();
  for (const std::string& module : diff.modules_by_name) modules.push_back(utf8(module));
  return json_text({{"schema", json_schema},
                    {"target", utf8(target)},
                    {"exact", diff.exact},
                    {"losses", losses_json(diff.losses)},
                    {"memory", diff.kind == RecordedMemory::blocks ? "blocks" : "mappings"},
                    {"before", side_json(diff.before, names.before)},
                    {"after", side_json(diff.after, names.after)},
                    {"changes", changes},
                    {"groups", list_json(diff.rows, row_json)},
                    {"groups_hidden", diff.rows_hidden},
                    {"modules_by_name", modules}});
}

}  // namespace culprit
