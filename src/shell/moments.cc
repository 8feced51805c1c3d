#include "shell/moments.h"

#include <fmt/format.h>

#include <algorithm>

#include "analysis/life_replay.h"
#include "base/text.h"
#include "shell/live_session.h"
#include "shell/values.h"

namespace culprit {

namespace {

constexpr size_t marks_listed = 10;

std::string marks_in_words(const std::vector<Mark>& marks, Time start) {
  if (marks.empty()) return "the recording has no marks";
  std::string words;
  const size_t first = marks.size() > marks_listed ? marks.size() - marks_listed : 0;
  for (size_t i = first; i < marks.size(); ++i) {
    const double seconds = static_cast<double>(marks[i].time - start) / 1e9;
    words += fmt::format("{}{} at {}", words.empty() ? "" : ", ", marks[i].name, duration_in_words(seconds));
  }
  return fmt::format("its {}marks are {}", first == 0 ? "" : "newest ", words);
}

}  // namespace

Result<Time> moment_of(Trace& trace, const std::string& word) {
  const Time start = started_at(trace);
  if (auto duration = parse_duration(word)) return start + std::min(*duration, Time{1} << 60);
  auto marks = marks_of(trace);
  if (!marks) return tl::unexpected<Error>(std::move(marks).error());
  auto newest = std::find_if(marks->rbegin(), marks->rend(), [&](const Mark& mark) { return mark.name == word; });
  if (newest != marks->rend()) return newest->time;
  return fail(ErrorKind::not_found,
              fmt::format("'{}' is no time (such as 10s, 500ms) and no mark: {}", word, marks_in_words(*marks, start)));
}

Result<std::vector<MemoryStretch>> memory_stretches(Trace& trace) {
  auto marks = marks_of(trace);
  if (!marks) return tl::unexpected<Error>(std::move(marks).error());
  std::vector<MemoryStretch> stretches;
  for (const Mark& mark : *marks) {
    if (mark.name == begin_of_memory) stretches.push_back({mark.time, INT64_MAX});
    if (mark.name == end_of_memory && !stretches.empty()) stretches.back().to = mark.time;
  }
  return stretches;
}

Result<Mark> newest_mark(Trace& trace, Time before) {
  auto marks = marks_of(trace);
  if (!marks) return tl::unexpected<Error>(std::move(marks).error());
  auto newest = std::find_if(marks->rbegin(), marks->rend(), [&](const Mark& mark) { return mark.time < before; });
  if (newest != marks->rend()) return *newest;
  return fail(ErrorKind::not_found, "there is no mark to compare with: name the moments, as in --from 10s --to 60s");
}

}  // namespace culprit
