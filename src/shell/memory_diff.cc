#include "shell/memory_diff.h"

#include <fmt/format.h>

#include "analysis/memory_diff.h"
#include "base/syscall.h"
#include "shell/handle_answer.h"
#include "shell/moments.h"
#include "shell/shown_lookup.h"
#include "view/memory_diff_views.h"

namespace culprit {

namespace {

constexpr size_t usual_rows = 20;

struct Moments {
  MemoryMoment before, after;
  MemoryDiffNames names;
};

// Two moments of one recording: all that lived then, whenever it was made.
Result<Moments> moments_of(Trace& trace, const Arguments& arguments) {
  std::string from = arguments.text("--from"), to = arguments.text("--to");
  Moments moments{{trace}, {trace}, {}};
  if (!to.empty()) {
    auto time = moment_of(trace, to);
    if (!time) return tl::unexpected<Error>(std::move(time).error());
    moments.after.to = *time;
  }
  if (from.empty()) {
    auto mark = newest_mark(trace, moments.after.to);
    if (!mark) return tl::unexpected<Error>(std::move(mark).error());
    from = mark->name;
    moments.before.to = mark->time;
  } else {
    auto time = moment_of(trace, from);
    if (!time) return tl::unexpected<Error>(std::move(time).error());
    moments.before.to = *time;
  }
  if (moments.before.to > moments.after.to) return fail(ErrorKind::usage, "--from is a later moment than --to");
  moments.names = {from, to.empty() ? "the end" : to};
  return moments;
}

// Two recordings, the same part of each.
Result<MemoryMoment> part_of(Trace& trace, const Arguments& arguments) {
  MemoryMoment part{trace};
  for (auto [option, into] : {std::pair("--from", &part.from), {"--to", &part.to}}) {
    if (!arguments.has(option)) continue;
    auto time = moment_of(trace, arguments.text(option));
    if (!time) return tl::unexpected<Error>(std::move(time).error());
    *into = *time;
  }
  return part;
}

Result<Moments> sides_of(Trace& before, Trace& after, const Arguments& arguments) {
  if (&before == &after) return moments_of(before, arguments);
  auto first = part_of(before, arguments), second = part_of(after, arguments);
  if (!first) return tl::unexpected<Error>(std::move(first).error());
  if (!second) return tl::unexpected<Error>(std::move(second).error());
  return Moments{*first, *second, {arguments.operands.front(), arguments.operands.back()}};
}

}  // namespace

Ending diff_memory_recordings(Trace& before, Trace& after, const Arguments& arguments, const Streams& streams) {
  for (std::string_view of_handles : {"--csv", "--process", "--type", "--stack", "--not-stack", "--min-age"})
    if (arguments.has(of_handles))
      return complain(streams, fmt::format("{} is about handles: ask for them with --handles", of_handles));
  auto wishes = parse_report_wishes(arguments);
  if (!wishes) return complain(streams, wishes.error());
  auto sides = sides_of(before, after, arguments);
  if (!sides) return complain(streams, sides.error());
  ShownLookup shown(streams.errors);
  const size_t top = arguments.count("--top", wishes->json ? 0 : usual_rows);
  auto diff = diff_memory(sides->before, sides->after, shown.lookup(),
                          {.kind = arguments.has("--mappings") ? RecordedMemory::mappings : RecordedMemory::blocks,
                           .all = wishes->all,
                           .top = top});
  shown.done();
  if (!diff) return complain(streams, diff.error());
  const int fd = wishes->report_file ? wishes->report_file.get() : streams.output;
  const std::string text = wishes->json ? memory_diff_as_json(*diff, sides->names, arguments.operands.back())
                                        : memory_diff_as_text(*diff, sides->names, style_of(fd));
  auto written = write_all(fd, text);
  return written ? ended_well : complain(streams, written.error());
}

}  // namespace culprit
