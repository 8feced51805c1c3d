#include "shell/handle_question.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>

#include "base/syscall.h"
#include "shell/values.h"

namespace culprit {

namespace {

constexpr unsigned in_report = 1, in_groups = 2, in_over_time = 4, in_value = 8;

// Which options of `handles` go with which question. Every other one goes with all.
struct OptionUse {
  std::string_view option;
  unsigned questions;
};
constexpr OptionUse option_uses[] = {
    {"--fail-on-leak", in_report},
    {"--suppressions", in_report},
    {"--after", in_report},
    {"--no-source", in_report},
    {"--all", in_report | in_groups | in_over_time | in_value},
    {"--by", in_groups | in_over_time},
    {"--depth", in_groups},
    {"--outstanding", in_groups | in_over_time},
    {"--csv", in_groups | in_over_time},
    {"--process", in_groups | in_over_time | in_value},
    {"--type", in_groups | in_over_time | in_value},
    {"--stack", in_groups | in_over_time | in_value},
    {"--not-stack", in_groups | in_over_time | in_value},
    {"--min-age", in_groups | in_over_time | in_value},
    {"--from", in_groups | in_over_time | in_value},
    {"--to", in_groups | in_over_time | in_value},
};

struct QuestionRow {
  Asked asked;
  unsigned bit;
  std::string_view option;  // that asks it
};
constexpr QuestionRow question_rows[] = {
    {Asked::report, in_report, ""},
    {Asked::groups, in_groups, "--by"},
    {Asked::over_time, in_over_time, "--over-time"},
    {Asked::value, in_value, "--value"},
};

// An option that the report knows nothing of asks for groups.
QuestionRow question_of(const Arguments& arguments) {
  for (const QuestionRow& row : question_rows)
    if ((row.asked == Asked::value || row.asked == Asked::over_time) && arguments.has(row.option)) return row;
  for (const OptionUse& use : option_uses) {
    if ((use.questions & in_report) != 0 || !arguments.has(use.option)) continue;
    return {Asked::groups, in_groups, use.option};
  }
  return question_rows[0];
}

Result<void> check_combination(const Arguments& arguments, const QuestionRow& asked) {
  auto refuse = [](std::string_view one, std::string_view other) {
    return fail(ErrorKind::usage, fmt::format("{} does not go with {}", one, other));
  };
  if (arguments.has("--over-time") && arguments.has("--value")) return refuse("--over-time", "--value");
  if (arguments.has("--outstanding") && arguments.has("--all")) return refuse("--outstanding", "--all");
  if (arguments.has("--json") && arguments.has("--csv")) return refuse("--json", "--csv");
  if (arguments.has("--summary"))
    return fail(ErrorKind::usage, "--summary is of a process as it is now, not of a recording");
  for (const OptionUse& use : option_uses)
    if (arguments.has(use.option) && (use.questions & asked.bit) == 0) return refuse(use.option, asked.option);
  return {};
}

Result<void> parse_pattern(const Arguments& arguments, std::string_view option, std::optional<Pattern>& into) {
  if (!arguments.has(option)) return {};
  auto pattern = Pattern::compile(arguments.text(option));
  if (!pattern) return fail(ErrorKind::usage, fmt::format("{}: {}", option, pattern.error().what));
  into = std::move(*pattern);
  return {};
}

Result<void> parse_common(const Arguments& arguments, HandleQuestion& question) {
  question.form = arguments.has("--csv")    ? AnswerForm::csv
                  : arguments.has("--json") ? AnswerForm::json
                                            : AnswerForm::text;
  question.top = arguments.count("--top", 0);
  question.from = arguments.text("--from");
  question.to = arguments.text("--to");
  question.filter.processes = comma_separated(arguments.text("--process"));
  question.filter.types = comma_separated(arguments.text("--type"));
  question.filter.min_age = arguments.nanoseconds("--min-age");
  CULPRIT_TRY(parse_pattern(arguments, "--stack", question.filter.stack));
  CULPRIT_TRY(parse_pattern(arguments, "--not-stack", question.filter.not_stack));
  return {};
}

Result<void> open_report_file(const Arguments& arguments, HandleQuestion& question) {
  if (!arguments.has("--report")) return {};
  auto file = open_file(arguments.text("--report"), O_WRONLY | O_CREAT | O_TRUNC);
  if (!file) return tl::unexpected<Error>(std::move(file).error());
  question.report_file = std::move(*file);
  return {};
}

Result<void> parse_by(const Arguments& arguments, HandleQuestion& question) {
  if (!arguments.has("--by")) return {};
  auto columns = parse_columns(arguments.text("--by"));
  if (!columns) return tl::unexpected<Error>(std::move(columns).error());
  if (question.asked == Asked::over_time && columns->size() > 1)
    return fail(ErrorKind::usage, "--over-time draws lines by one thing, such as --by process or --by type");
  question.by = std::move(*columns);
  return {};
}

}  // namespace

Result<HandleQuestion> parse_handle_question(const Arguments& arguments) {
  const QuestionRow asked = question_of(arguments);
  CULPRIT_TRY(check_combination(arguments, asked));
  HandleQuestion question;
  question.asked = asked.asked;
  if (asked.asked == Asked::report) return question;
  CULPRIT_TRY(parse_common(arguments, question));
  CULPRIT_TRY(parse_by(arguments, question));
  const bool outstanding = asked.asked == Asked::groups ? !arguments.has("--all") : arguments.has("--outstanding");
  question.filter.lives = outstanding ? Lives::outstanding : Lives::all;
  question.depth = arguments.count("--depth", 0);
  question.details = arguments.has("--all");
  if (asked.asked == Asked::value) {
    auto value = parse_handle_value(arguments.text("--value"));
    if (!value) return tl::unexpected<Error>(std::move(value).error());
    question.value = *value;
  }
  CULPRIT_TRY(open_report_file(arguments, question));
  return question;
}

Result<HandleQuestion> parse_diff_question(const Arguments& arguments) {
  if (arguments.has("--json") && arguments.has("--csv")) return fail(ErrorKind::usage, "--json does not go with --csv");
  HandleQuestion question;
  question.asked = Asked::moments;
  CULPRIT_TRY(parse_common(arguments, question));
  question.details = arguments.has("--all");
  if (arguments.operands.size() == 1) {
    for (std::string_view option : {"--csv", "--all"})
      if (arguments.has(option))
        return fail(ErrorKind::usage, fmt::format("{} wants two recordings to compare", option));
  }
  CULPRIT_TRY(open_report_file(arguments, question));
  return question;
}

}  // namespace culprit
