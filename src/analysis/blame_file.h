// The user's own blame rules: `culprit crash --blame-rules FILE`, and culprit/blame in the folder of settings.
//
//   # a comment
//   [the plugin host]                      begins a rule; the name is shown where it is followed
//   mod: libhost*.so*|libhost-*.so*        which frames: by module, function, source file; all that are given must
//   match fun: host::call* file: */third_party/host/* owner: weak                            none (never to blame; as
//   if left out), weak (where nobody else is), strong why: it only calls what a plugin gave it
//
// Globs: `*` any characters, `?` one; `|` separates alternatives. A module pattern without "/" is compared with the
// file's name; functions are compared without parameters and template arguments. Of several rules that match a frame,
// culprit's own among them, the one with most plain characters in its matching patterns is followed; of equals the
// first, and the user's before culprit's.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "analysis/blame.h"
#include "base/result.h"

namespace culprit {

struct BlameFileRule {
  std::string name, module, function, file, reason;
  Owner owner = Owner::none;

  BlameRule row() const { return {name, module, function, file, reason, owner}; }
  bool operator==(const BlameFileRule&) const = default;
};

// Errors name the line ("line 7: …"); `where` is its number.
Result<std::vector<BlameFileRule>> parse_blame_rules(std::string_view text);

}  // namespace culprit
