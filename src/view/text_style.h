// How text may look: as wide as the terminal, in colour on a terminal only.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace culprit {

struct TextStyle {
  size_t columns = 80;
  bool colour = false;
  bool terminal = false;  // a person is looking: progress may be shown
  bool unicode = true;    // charts may be drawn with blocks; else in ASCII
};

// Of what `fd` leads to. NO_COLOR (no-color.org) and TERM=dumb switch colour off; no terminal: 80 columns, no colour.
// Unicode is what LC_ALL, LC_CTYPE or LANG says.
TextStyle style_of(int fd);

// What a piece of text is, not how it looks; text must be understood without it.
enum class Ink : uint8_t { plain, bad, warning, good, name, faint, strong };
std::string inked(const TextStyle& style, Ink ink, std::string_view text);

// Foreign text made harmless and cut in the middle to `columns`.
std::string shown(std::string_view foreign, size_t columns);
// Spaces after (or before) `text`, which may hold colours, up to `columns`.
std::string padded(std::string_view text, size_t columns);
std::string right_aligned(std::string_view text, size_t columns);
// `text` in lines that end at `columns`; the first begins at column `start` (what stands before it is not in `text`),
// the others after `indent` spaces. No newline at the end.
std::string wrapped(std::string_view text, size_t columns, size_t start, size_t indent);

}  // namespace culprit
