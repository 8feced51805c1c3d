#include <fmt/format.h>

#include "analysis/blame.h"
#include "base/text.h"
#include "symbols/function_name.h"
#include "view/crash_views.h"
#include "view/stack_text.h"

namespace culprit {
namespace {

constexpr size_t widest_name = 100;

std::string place_words(const ReportFrame& frame) {
  std::string name = frame_function(frame, widest_name);
  size_t parameters = without_parameters(name).size();
  if (parameters != 0 && !frame.function.empty()) name.resize(parameters);
  constexpr std::string_view nameless = "(anonymous namespace)::";
  for (size_t at = name.find(nameless); at != name.npos; at = name.find(nameless)) name.erase(at, nameless.size());
  return frame.file.empty() ? name : fmt::format("{} ({})", name, frame_place(frame, 0, widest_name));
}

// The next frame outside that is somebody's own.
const ReportFrame* caller_of(const ReportStack& stack, size_t frame) {
  for (size_t i = frame + 1; i < stack.frames.size(); ++i)
    if (stack.frames[i].own && !stack.frames[i].function.empty() && !skipping_rule(blame_rules(), stack.frames[i]))
      return &stack.frames[i];
  return nullptr;
}

}  // namespace

bool is_source_newer(const CrashReport& report, const SourceExcerpt& excerpt) {
  if (!report.culprit || excerpt.lines.empty()) return false;
  const std::string& module = report.stack.frames[*report.culprit].module;
  for (const CrashModule& each : report.modules)
    if (each.module.path == module) return each.changed != 0 && excerpt.changed > each.changed;
  return false;
}

std::string crash_sentence(const CrashReport& report) {
  std::string sentence = printable(report.verdict.what);
  const std::vector<ReportFrame>& frames = report.stack.frames;
  if (frames.empty() || report.verdict.cause == CrashCause::none) return sentence + ".";
  size_t at = report.culprit.value_or(0);
  // Where no code is, and nothing leads there.
  if (frames[at].function.empty() && frames[at].module.empty()) return sentence + ".";
  // Where a library did it, that is worth a word.
  // What has clauses of its own is set apart, if not by signs.
  bool is_set_apart = sentence.ends_with('`') || sentence.ends_with(')');
  bool has_clauses = sentence.find(", ") != sentence.npos || sentence.find(": ") != sentence.npos;
  if (has_clauses && !is_set_apart) sentence += ",";
  bool by_library = at > 0 && !report.verdict.frame && report.verdict.cause >= CrashCause::null_read &&
                    report.verdict.cause <= CrashCause::protected_access && !frames[0].function.empty() &&
                    !frames[0].inlined;
  if (by_library) sentence += fmt::format(" in {}, called", shown(without_parameters(frames[0].function), widest_name));
  sentence += fmt::format(" {} {}", by_library ? "by" : "in", place_words(frames[at]));
  if (const ReportFrame* caller = caller_of(report.stack, at); caller != nullptr && !report.recursion)
    sentence += fmt::format(", called from {}", place_words(*caller));
  return sentence + ".";
}

}  // namespace culprit
