#include "shell/handle_answer.h"

#include <fcntl.h>
#include <fmt/format.h>

#include "analysis/build_handle_report.h"
#include "base/syscall.h"
#include "shell/crash_pages.h"
#include "shell/shown_lookup.h"
#include "view/as_json.h"
#include "view/as_text.h"

namespace culprit {

namespace {

constexpr size_t largest_suppressions_file = size_t{16} << 20;

Result<Suppressions> read_suppressions(const std::string& path) {
  auto text = read_whole_file(path, largest_suppressions_file);
  if (!text) return tl::unexpected<Error>(std::move(text).error());
  auto suppressions = parse_suppressions(*text);
  if (!suppressions) return fail(ErrorKind::usage, fmt::format("{}: {}", path, suppressions.error().what));
  return suppressions;
}

}  // namespace

Result<ReportWishes> parse_report_wishes(const Arguments& arguments) {
  ReportWishes wishes;
  wishes.json = arguments.has("--json");
  wishes.fail_on_leak = arguments.has("--fail-on-leak");
  wishes.all = arguments.has("--all");
  wishes.source = !arguments.has("--no-source");
  // People read ten groups; programs filter for themselves.
  wishes.top = arguments.count("--top", wishes.all || wishes.json ? 0 : 10);
  wishes.after = arguments.nanoseconds("--after");
  if (arguments.has("--suppressions")) {
    auto suppressions = read_suppressions(arguments.text("--suppressions"));
    if (!suppressions) return tl::unexpected<Error>(std::move(suppressions).error());
    wishes.suppressions = std::move(*suppressions);
  }
  if (arguments.has("--report")) {
    auto file = open_file(arguments.text("--report"), O_WRONLY | O_CREAT | O_TRUNC);
    if (!file) return tl::unexpected<Error>(std::move(file).error());
    wishes.report_file = std::move(*file);
  }
  return wishes;
}

Result<HandleReport> answer_handles(Trace& trace, const ReportWishes& wishes, const AnswerPlace& place) {
  ShownLookup shown(place.progress_fd, place.symbols);
  HandleReportOptions options;
  options.after = wishes.after;
  options.top = wishes.top;
  options.all = wishes.all;
  options.handles = wishes.json && wishes.all;
  options.suppressions = &wishes.suppressions;
  auto report = build_handle_report(trace, shown.lookup(), options);
  shown.done();
  if (!report) return report;

  if (place.crashes != nullptr) name_handle_makers(*place.crashes, *report);
  int fd = wishes.report_file ? wishes.report_file.get() : place.report_fd;
  std::string text = wishes.json ? as_json(*report, place.target, place.crashes)
                                 : crash_pages_text(place.crashes, {.style = style_of(fd), .details = wishes.all}) +
                                       as_text(*report, {.style = style_of(fd),
                                                         .top = wishes.top,
                                                         .details = wishes.all,
                                                         .source = wishes.source,
                                                         .recording = place.recording});
  CULPRIT_TRY(write_all(fd, text));
  return report;
}

}  // namespace culprit
