// Handles the user knows about and does not want to hear of: `culprit run --suppressions FILE`.
//
//   # comment; empty lines separate nothing
//   [name of the suppression]        a section: one stack pattern; the name is shown with its use count
//   type: socket                     optional: only handles of this type (glob)
//   fun: Cache::get*                 then one line per frame, innermost first; the pattern is matched from the
//   innermost mod: *libfoo.so*                 frame on and may end before the stack does file: *third_party/* fun:
//   main & mod: *server         several conditions on one frame
//   ...                              any number of frames, none too
//
// Globs: `*` any characters, `?` one; they must match the whole function name, module path or file path. A module
// pattern without "/" is compared with the file name alone. Inlined frames count as frames. A frame line with a name
// culprit cannot know (no symbols) does not match.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "analysis/handle_report.h"
#include "base/result.h"

namespace culprit {

struct FramePattern {
  bool any_frames = false;             // `...`; the other fields are then empty
  std::string function, module, file;  // globs; empty: no condition

  bool operator==(const FramePattern&) const = default;
};

struct Suppression {
  std::string name;
  size_t line = 0;   // of its `[name]`, from 1
  std::string type;  // glob; empty: all types
  std::vector<FramePattern> frames;
};

struct Suppressions {
  std::vector<Suppression> entries;

  // Index of the first entry that matches.
  std::optional<size_t> find(std::string_view type, const ReportStack& stack) const;
};

// Errors name the line: "line 7: …"; `where` is that number.
Result<Suppressions> parse_suppressions(std::string_view text);

// `*` any characters, `?` one character. Linear in practice: one backtrack point.
bool glob_matches(std::string_view pattern, std::string_view text);

}  // namespace culprit
