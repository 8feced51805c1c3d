#include "view/text_style.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>

#include "base/text.h"

namespace culprit {

namespace {

constexpr std::string_view no_ink = "\x1b[0m";
constexpr std::string_view inks[] = {"", "\x1b[1;31m", "\x1b[33m", "\x1b[32m", "\x1b[36m", "\x1b[2m", "\x1b[1m"};

// Our own escapes take no columns, foreign ones have become text before.
size_t width_without_ink(std::string_view text) {
  size_t hidden = 0;
  for (size_t at = text.find('\x1b'); at != text.npos; at = text.find('\x1b', at)) {
    size_t end = text.find('m', at);
    if (end == text.npos) break;
    hidden += end - at + 1;
    at = end;
  }
  if (hidden == 0) return display_width(text);
  std::string plain;
  for (size_t at = 0; at < text.size();) {
    if (text[at] != '\x1b') {
      plain += text[at++];
    } else {
      at = std::min(text.find('m', at), text.size() - 1) + 1;
    }
  }
  return display_width(plain);
}

std::string spaces_up_to(std::string_view text, size_t columns) {
  size_t width = width_without_ink(text);
  return std::string(width < columns ? columns - width : 0, ' ');
}

bool locale_is_utf8() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const char* value = std::getenv(name);
    if (value == nullptr || *value == '\0') continue;
    std::string locale(value);
    std::ranges::transform(locale, locale.begin(), [](unsigned char c) { return std::tolower(c); });
    return locale.find("utf-8") != locale.npos || locale.find("utf8") != locale.npos;
  }
  return false;
}

}  // namespace

TextStyle style_of(int fd) {
  TextStyle style;
  style.unicode = locale_is_utf8();
  if (::isatty(fd) == 0) return style;
  const char* no_color = std::getenv("NO_COLOR");
  const char* kind = std::getenv("TERM");
  style.terminal = true;
  style.colour = (no_color == nullptr || *no_color == '\0') && kind != nullptr && std::string_view(kind) != "dumb";
  winsize size{};
  if (::ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) style.columns = std::clamp<size_t>(size.ws_col, 40, 200);
  return style;
}

std::string inked(const TextStyle& style, Ink ink, std::string_view text) {
  if (!style.colour || ink == Ink::plain || text.empty()) return std::string(text);
  return fmt::format("{}{}{}", inks[static_cast<size_t>(ink)], text, no_ink);
}

std::string shown(std::string_view foreign, size_t columns) {
  // What is cut anyway need not be looked at: a symbol name may be megabytes long.
  constexpr size_t enough = 4096;
  if (foreign.size() > 2 * enough) {
    std::string ends = std::string(foreign.substr(0, enough)) + std::string(foreign.substr(foreign.size() - enough));
    return shorten_middle(printable(ends), columns);
  }
  return shorten_middle(printable(foreign), columns);
}

std::string padded(std::string_view text, size_t columns) { return std::string(text) + spaces_up_to(text, columns); }

std::string right_aligned(std::string_view text, size_t columns) {
  return spaces_up_to(text, columns) + std::string(text);
}

std::string wrapped(std::string_view text, size_t columns, size_t start, size_t indent) {
  std::string lines;
  size_t used = start;
  bool line_empty = true;
  while (!text.empty()) {
    std::string_view word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(text.size(), word.size() + 1));
    size_t width = width_without_ink(word);
    if (!line_empty && used + 1 + width > columns) {
      lines += "\n" + std::string(indent, ' ');
      used = indent;
      line_empty = true;
    }
    if (!line_empty) lines += ' ', ++used;
    lines += word;
    used += width;
    line_empty = false;
  }
  return lines;
}

}  // namespace culprit
