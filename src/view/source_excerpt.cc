#include "view/source_excerpt.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <string_view>

#include "base/syscall.h"
#include "base/text.h"

namespace culprit {

namespace {

constexpr off_t largest_file = off_t{16} << 20;
constexpr size_t longest_line = 300;

std::string without_tabs(std::string_view line) {
  constexpr size_t tab_width = 4;
  std::string text;
  for (char c : line.substr(0, longest_line)) {
    if (c == '\t') {
      text.append(tab_width - text.size() % tab_width, ' ');
    } else {
      text += c;
    }
  }
  return text;
}

}  // namespace

SourceExcerpt read_source_excerpt(const std::string& path, uint32_t line, uint32_t around) {
  SourceExcerpt excerpt;
  if (line == 0 || !path.starts_with('/'))
    return excerpt;  // a relative path would be looked up wherever we happen to be
  // The path is a recording's word: it may name a fifo, on which a plain open would wait.
  auto file = open_file(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  struct stat status {};
  if (!file || ::fstat(file->get(), &status) != 0 || !S_ISREG(status.st_mode) || status.st_size > largest_file)
    return {};
  std::string content(static_cast<size_t>(status.st_size), '\0');
  ssize_t got = ::pread(file->get(), content.data(), content.size(), 0);
  if (got <= 0) return excerpt;
  content.resize(static_cast<size_t>(got));
  if (content.find('\0') != content.npos) return excerpt;

  uint32_t first = line > around ? line - around : 1, number = 1;
  for (std::string_view rest = content; !rest.empty() && number <= line + around; ++number) {
    std::string_view text = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), text.size() + 1));
    if (text.ends_with('\r')) text.remove_suffix(1);
    if (number >= first) excerpt.lines.push_back({number, printable(without_tabs(text)), number == line});
  }
  if (number <= line) excerpt.lines.clear();
  excerpt.changed = status.st_mtime;
  return excerpt;
}

}  // namespace culprit
