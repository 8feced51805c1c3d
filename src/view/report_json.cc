#include "view/report_json.h"

#include <cmath>

namespace culprit {

namespace {

Json frame_json(const ReportFrame& frame) {
  return {{"function", utf8(frame.function)},
          {"file", utf8(frame.file)},
          {"line", frame.line},
          {"module", utf8(frame.module)},
          {"offset", frame.offset},
          {"function_offset", frame.function_offset},
          {"found_by", word(name_of(frame.found_by))},
          {"inlined", frame.inlined},
          {"own", frame.own},
          {"skipped_by", utf8(frame.skipped_by)}};
}

Json loss_json(const MergedLoss& loss) {
  const LossMeaning& meaning = meaning_of(loss.kind);
  return {{"kind", meaning.name},
          {"count", loss.count},
          {"meaning", meaning.meaning},
          {"remedy", meaning.remedy},
          {"partial", meaning.makes_partial},
          {"details", list_json(loss.details, utf8)}};
}

Json pattern_json(const std::optional<Pattern>& pattern) {
  return pattern ? Json(utf8(pattern->text())) : Json(nullptr);
}

Json filter_json(const LifeFilter& filter) {
  return {{"process", list_json(filter.processes, utf8)},
          {"type", list_json(filter.types, utf8)},
          {"stack", pattern_json(filter.stack)},
          {"not_stack", pattern_json(filter.not_stack)},
          {"min_age", static_cast<double>(filter.min_age) / 1e9},
          {"lives", filter.lives == Lives::all ? "all" : "outstanding"}};
}

}  // namespace

Json number_or_null(double number) { return std::isfinite(number) ? Json(number) : Json(nullptr); }

std::string word(std::string_view name) {
  std::string text(name);
  for (char& c : text)
    if (c == ' ') c = '_';
  return text;
}

Json frames_json(const ReportStack& stack) {
  Json frames = Json::array();
  for (const ReportFrame& frame : stack.frames) frames.push_back(frame_json(frame));
  return frames;
}

Json blamed_json(const ReportStack& stack) { return stack.blamed ? Json(*stack.blamed) : Json(nullptr); }

Json process_json(const ProcessCount& process) {
  return process.pid == 0 ? Json(nullptr) : Json{{"name", utf8(process.name)}, {"pid", process.pid}};
}

Json handle_json(const ReportHandle& handle) {
  bool open = handle.how_closed == HowClosed::still_open;
  return {{"value", handle.value},
          {"type", utf8(handle.type)},
          {"name", utf8(handle.name)},
          {"object", handle.object},
          {"inode", handle.inode},
          {"how_created", word(name_of(handle.how_created))},
          {"how_closed", word(name_of(handle.how_closed))},
          {"creating", process_json(handle.creating)},
          {"owning", process_json(handle.owning)},
          {"closing", process_json(handle.closing)},
          {"created", number_or_null(handle.created)},
          {"created_thread", handle.created_tid},
          {"created_call", utf8(handle.created_call)},
          {"closed", open ? Json(nullptr) : number_or_null(handle.closed)},
          {"closed_thread", open ? Json(nullptr) : Json(handle.closed_tid)},
          {"closed_call", utf8(handle.closed_call)},
          {"group", handle.group ? Json(*handle.group) : Json(nullptr)},
          {"stack", frames_json(handle.creating_stack)}};
}

Json losses_json(const std::vector<MergedLoss>& losses) { return list_json(losses, loss_json); }

Json example_json(const HandleExample& example) {
  return {{"value", example.value},
          {"name", utf8(example.name)},
          {"process", utf8(example.process)},
          {"pid", example.pid},
          {"created", number_or_null(example.created)},
          {"age", number_or_null(example.age)}};
}

Json recording_json(const AnswerBasis& basis) {
  return {{"command", utf8(basis.command)},
          {"recorded_by", utf8(basis.recorded_by)},
          {"machine", utf8(basis.machine)},
          {"wall_clock_ns", basis.wall_clock_ns},
          {"duration", number_or_null(basis.duration)},
          {"complete", basis.complete},
          {"processes", basis.processes}};
}

Json window_json(const AnswerBasis& basis) {
  return {{"from", number_or_null(basis.from)}, {"to", number_or_null(basis.to)}};
}

Json answer_json(const AnswerBasis& basis, const std::string& target) {
  return {{"schema", json_schema},
          {"target", utf8(target)},
          {"exact", basis.exact},
          {"losses", losses_json(basis.losses)},
          {"recording", recording_json(basis)},
          {"window", window_json(basis)},
          {"filter", filter_json(basis.filter)}};
}

}  // namespace culprit
