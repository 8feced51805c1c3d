// Questions about handles, answered: which analysis, in which form.
#include <fmt/format.h>

#include "analysis/handle_diff.h"
#include "analysis/handle_pivot.h"
#include "analysis/handle_series.h"
#include "analysis/recording_diff.h"
#include "analysis/value_history.h"
#include "base/syscall.h"
#include "shell/handle_question.h"
#include "shell/moments.h"
#include "shell/shown_lookup.h"
#include "view/diff_views.h"
#include "view/pivot_views.h"
#include "view/series_views.h"
#include "view/value_views.h"

namespace culprit {

namespace {

// People read a screen; programs filter for themselves.
constexpr size_t tree_rows = 10, series_lines = 10, series_points = 240, lives_shown = 10, lives_kept = 1000,
                 diff_groups = 10, diff_rows = 20;

// What all answers are made with.
struct Making {
  Trace& trace;
  const HandleQuestion& question;
  LifeFilter filter;  // with its moments
  MomentNames names;
  const AnswerPlace& place;
  TextStyle style;
  SymbolLookup lookup;

  bool is_text() const { return question.form == AnswerForm::text; }
  size_t top(size_t of_text, size_t of_others = 0) const {
    return question.top != 0 ? question.top : is_text() ? of_text : of_others;
  }
};

struct Answer {
  std::string text;
  bool exact = true;
};

template <typename Analysed>
tl::unexpected<Error> error_of(Analysed&& analysed) {
  return tl::unexpected<Error>(std::forward<Analysed>(analysed).error());
}

Result<Answer> answer_groups(const Making& making) {
  HandlePivotOptions options;
  options.filter = making.filter;
  if (!making.question.by.empty()) options.columns = making.question.by;
  if (size_t depth = making.question.depth; depth != 0 && depth < options.columns.size()) options.columns.resize(depth);
  (making.is_text() ? options.top_rows : options.top_groups) = making.top(tree_rows);
  auto pivot = build_handle_pivot(making.trace, making.lookup, options);
  if (!pivot) return error_of(std::move(pivot));
  if (making.question.form == AnswerForm::csv) return Answer{pivot_as_csv(*pivot), pivot->basis.exact};
  return Answer{making.is_text() ? pivot_as_text(*pivot, making.style) : pivot_as_json(*pivot, making.place.target)};
}

Result<Answer> answer_over_time(const Making& making) {
  HandleSeriesOptions options;
  options.filter = making.filter;
  options.points = series_points;
  options.top = making.top(series_lines);
  if (!making.question.by.empty()) options.by = making.question.by.front();
  auto series = build_handle_series(making.trace, making.lookup, options);
  if (!series) return error_of(std::move(series));
  if (making.question.form == AnswerForm::csv) return Answer{series_as_csv(*series), series->basis.exact};
  return Answer{making.is_text() ? series_as_text(*series, making.style)
                                 : series_as_json(*series, making.place.target)};
}

Result<Answer> answer_value(const Making& making) {
  ValueHistoryOptions options;
  options.value = making.question.value;
  options.filter = making.filter;
  options.top = making.top(lives_shown, lives_kept);
  auto history = build_value_history(making.trace, making.lookup, options);
  if (!history) return error_of(std::move(history));
  return Answer{making.is_text() ? value_as_text(*history, {making.style, making.question.details})
                                 : value_as_json(*history, making.place.target)};
}

Result<Answer> answer_moments(const Making& making) {
  auto diff = diff_moments(making.trace, making.lookup, {.filter = making.filter, .top = making.top(diff_groups)});
  if (!diff) return error_of(std::move(diff));
  return Answer{making.is_text() ? handle_diff_as_text(*diff, making.names, making.style)
                                 : handle_diff_as_json(*diff, making.names, making.place.target)};
}

// The window as times of this trace.
Result<void> resolve_moments(Trace& trace, const HandleQuestion& question, LifeFilter& filter, MomentNames& names) {
  names = {question.from, question.to};
  if (!question.to.empty()) {
    auto to = moment_of(trace, question.to);
    if (!to) return error_of(std::move(to));
    filter.to = *to;
  }
  if (!question.from.empty()) {
    auto from = moment_of(trace, question.from);
    if (!from) return error_of(std::move(from));
    filter.from = *from;
  }
  if (filter.from > filter.to)
    return fail(ErrorKind::usage, fmt::format("{} is later than {}", question.from, question.to));
  return {};
}

Result<void> write_answer(const Answer& answer, const HandleQuestion& question, const AnswerPlace& place) {
  const int fd = question.report_file ? question.report_file.get() : place.report_fd;
  CULPRIT_TRY(write_all(fd, answer.text));
  // A table has no place for it.
  if (!answer.exact)
    return write_all(place.progress_fd, "culprit: partial: something was lost, the text or JSON of this says what\n");
  return {};
}

}  // namespace

Result<void> answer_question(Trace& trace, const HandleQuestion& question, const AnswerPlace& place) {
  ShownLookup shown(place.progress_fd, place.symbols);
  const int fd = question.report_file ? question.report_file.get() : place.report_fd;
  Making making{trace, question, question.filter, {}, place, style_of(fd), shown.lookup()};
  CULPRIT_TRY(resolve_moments(trace, question, making.filter, making.names));
  if (question.asked == Asked::moments && question.from.empty()) {
    auto mark = newest_mark(trace, making.filter.to);
    if (!mark) return error_of(std::move(mark));
    making.filter.from = mark->time;
    making.names.from = mark->name;
  }
  Result<Answer> answer = question.asked == Asked::moments     ? answer_moments(making)
                          : question.asked == Asked::value     ? answer_value(making)
                          : question.asked == Asked::over_time ? answer_over_time(making)
                                                               : answer_groups(making);
  shown.done();
  if (!answer) return error_of(std::move(answer));
  return write_answer(*answer, question, place);
}

Result<void> answer_recording_diff(Trace& before, const std::string& before_path, Trace& after,
                                   const HandleQuestion& question, const AnswerPlace& place) {
  ShownLookup shown(place.progress_fd, place.symbols);
  const int fd = question.report_file ? question.report_file.get() : place.report_fd;
  RecordingDiffOptions options{.before = question.filter, .after = question.filter, .all = question.details};
  MomentNames names;
  CULPRIT_TRY(resolve_moments(before, question, options.before, names));
  CULPRIT_TRY(resolve_moments(after, question, options.after, names));
  options.top = question.top != 0 ? question.top : question.form == AnswerForm::text ? diff_rows : 0;
  auto diff = diff_recordings(before, after, shown.lookup(), options);
  shown.done();
  if (!diff) return error_of(std::move(diff));
  Answer answer;
  if (question.form == AnswerForm::csv) {
    answer = {recording_diff_as_csv(*diff), is_exact(diff->losses)};
  } else if (question.form == AnswerForm::json) {
    answer.text = recording_diff_as_json(*diff, before_path, place.target);
  } else {
    answer.text = recording_diff_as_text(*diff, before_path, place.target, style_of(fd));
  }
  return write_answer(answer, question, place);
}

}  // namespace culprit
