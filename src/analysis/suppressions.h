// Handles the user knows about and does not want to hear of: `culprit run --suppressions FILE`.
//
//   # a comment
//   [listeners live for ever]          begins a suppression; the name is shown with its use count
//   type: socket                       only handles of this type; may be left out
//   fun: Server::listen*               then one line per frame, innermost first
//   mod: *libfoo.so*
//   ...                                any number of frames, none too
//   fun: main & file: */server.cc      several conditions on one frame
//
// The frame lines must match from the innermost frame on, or from the blamed one on; the stack may go on after the last
// line. Globs: `*` any characters, `?` one. They must match all of the function (with or without its parameters and
// template arguments), module or file; a module or file pattern without "/" is compared with the file name alone.
// Inlined functions count as frames. What is unknown (no symbols) matches no pattern.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "analysis/handle_report.h"
#include "base/result.h"

namespace culprit {

struct FramePattern {
  bool any_frames = false;             // `...`; the globs are then empty
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

  // Index of the first entry that matches. The stack must have its blame assigned.
  std::optional<size_t> find(std::string_view type, const ReportStack& stack) const;
};

// Errors name the line ("line 7: …"); `where` is its number.
Result<Suppressions> parse_suppressions(std::string_view text);

}  // namespace culprit
