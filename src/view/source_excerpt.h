// The lines around the one that is to blame.
#pragma once

#include <cstdint>
#include <ctime>
#include <string>
#include <vector>

namespace culprit {

struct SourceLine {
  uint32_t number = 0;
  std::string text;  // printable; tabs expanded; at most a few hundred bytes
  bool blamed = false;
};

struct SourceExcerpt {
  std::vector<SourceLine> lines;  // empty: the file is not there, not text, too large, or shorter than `line`
  time_t changed = 0;             // when the file was last written
};

// `around` lines on each side of `line` of the file at `path`. Only regular files below 16 MiB are read.
SourceExcerpt read_source_excerpt(const std::string& path, uint32_t line, uint32_t around = 2);

}  // namespace culprit
