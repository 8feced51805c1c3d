#include "analysis/suppressions.h"

#include <fmt/format.h>

#include <array>
#include <span>

#include "analysis/rule_lines.h"
#include "base/glob.h"
#include "base/text.h"
#include "symbols/function_name.h"

namespace culprit {

namespace {

struct FrameKey {
  std::string_view word;
  std::string FramePattern::*glob;
};
constexpr std::array<FrameKey, 3> frame_keys{
    {{"fun:", &FramePattern::function}, {"mod:", &FramePattern::module}, {"file:", &FramePattern::file}}};

const FrameKey* key_of(std::string_view text) {
  for (const FrameKey& key : frame_keys) {
    if (text.starts_with(key.word)) return &key;
  }
  return nullptr;
}

// Where the first condition of the line ends: at an " & " that a key follows (functions may have " & " in their names).
size_t end_of_condition(std::string_view line) {
  for (size_t at = line.find(" & "); at != std::string_view::npos; at = line.find(" & ", at + 1)) {
    if (key_of(trimmed_line(line.substr(at + 3)))) return at;
  }
  return line.size();
}

Result<FramePattern> parse_frame(std::string_view line, size_t number) {
  FramePattern pattern;
  if (line == "...") {
    pattern.any_frames = true;
    return pattern;
  }
  while (!line.empty()) {
    const FrameKey* key = key_of(line);
    if (!key) {
      return wrong_line(number,
                        fmt::format("\"{}\" is not understood: expected [name], type:, fun:, mod:, file: or ...",
                                    shorten_middle(printable(line), 60)));
    }
    const size_t end = end_of_condition(line);
    const std::string_view glob = trimmed_line(line.substr(key->word.size(), end - key->word.size()));
    if (glob.empty()) return wrong_line(number, fmt::format("no pattern after \"{}\"", key->word));
    if (!(pattern.*key->glob).empty()) return wrong_line(number, fmt::format("\"{}\" twice for one frame", key->word));
    pattern.*key->glob = glob;
    line = end == line.size() ? std::string_view() : trimmed_line(line.substr(end + 3));
  }
  return pattern;
}

Result<void> check_complete(const Suppressions& parsed) {
  if (parsed.entries.empty()) return {};
  const Suppression& last = parsed.entries.back();
  bool says_something = !last.type.empty();
  for (const FramePattern& pattern : last.frames) says_something |= !pattern.any_frames;
  if (!says_something) {
    return wrong_line(last.line, fmt::format("[{}] has no pattern, it would hide everything", printable(last.name)));
  }
  return {};
}

bool unknown_or_mismatch(std::string_view glob, std::string_view text,
                         bool (*matches)(std::string_view, std::string_view)) {
  return !glob.empty() && (text.empty() || !matches(glob, text));
}

bool frame_matches(const FramePattern& pattern, const ReportFrame& frame) {
  if (unknown_or_mismatch(pattern.module, frame.module, path_glob_matches)) return false;
  if (unknown_or_mismatch(pattern.file, frame.file, path_glob_matches)) return false;
  return !unknown_or_mismatch(pattern.function, frame.function, glob_matches) ||
         !unknown_or_mismatch(pattern.function, qualified_name(frame.function), glob_matches);
}

// Like a glob whose star is `...` and whose end is open.
bool frames_match(std::span<const FramePattern> patterns, std::span<const ReportFrame> frames) {
  size_t p = 0, f = 0, star = SIZE_MAX, star_frame = 0;
  while (p < patterns.size()) {
    if (patterns[p].any_frames) {
      star = p++;
      star_frame = f;
    } else if (f < frames.size() && frame_matches(patterns[p], frames[f])) {
      ++p;
      ++f;
    } else if (star != SIZE_MAX && star_frame < frames.size()) {
      p = star + 1;
      f = ++star_frame;
    } else {
      return false;
    }
  }
  return true;
}

}  // namespace

Result<Suppressions> parse_suppressions(std::string_view text) {
  Suppressions parsed;
  for (RuleLines lines(text); lines.next();) {
    const std::string_view line = lines.line();
    const size_t number = lines.number();
    if (line.front() == '[') {
      CULPRIT_TRY(check_complete(parsed));
      const std::string_view name = line.back() == ']' ? trimmed_line(line.substr(1, line.size() - 2)) : "";
      if (name.empty()) return wrong_line(number, "a suppression begins with its name in brackets: [name]");
      parsed.entries.push_back({std::string(name), number, {}, {}});
      continue;
    }
    if (parsed.entries.empty()) return wrong_line(number, "a pattern before the first [name]");
    Suppression& current = parsed.entries.back();
    if (line.starts_with("type:")) {
      const std::string_view type = trimmed_line(line.substr(5));
      if (type.empty() || !current.type.empty() || !current.frames.empty()) {
        return wrong_line(number, "\"type:\" comes once, with a pattern, before the frames");
      }
      current.type = type;
      continue;
    }
    auto frame = parse_frame(line, number);
    if (!frame) return tl::unexpected(std::move(frame.error()));
    current.frames.push_back(std::move(*frame));
  }
  CULPRIT_TRY(check_complete(parsed));
  return parsed;
}

std::optional<size_t> Suppressions::find(std::string_view type, const ReportStack& stack) const {
  const std::span<const ReportFrame> frames = stack.frames;
  for (size_t i = 0; i < entries.size(); ++i) {
    const Suppression& entry = entries[i];
    if (!entry.type.empty() && !glob_matches(entry.type, type)) continue;
    if (frames_match(entry.frames, frames)) return i;
    if (stack.blamed && frames_match(entry.frames, frames.subspan(*stack.blamed))) return i;
  }
  return {};
}

}  // namespace culprit
