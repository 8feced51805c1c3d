#include "analysis/blame.h"

#include <algorithm>
#include <array>

#include "base/glob.h"
#include "symbols/function_name.h"

namespace culprit {

namespace {

constexpr BlameRule rules_of_culprit[] = {
#include "analysis/blame_rules.inc"
};

// Libraries here come with the system; a program in /usr/bin, or a library in /opt or /home, is somebody's own.
constexpr std::array<std::string_view, 6> system_library_directories{"/lib/",     "/lib32/",     "/lib64/",
                                                                     "/usr/lib/", "/usr/lib32/", "/usr/lib64/"};

// Plain characters of the best matching alternative; -1: none matches. No condition costs nothing and gives nothing.
template <typename Matches>
int specificity(std::string_view alternatives, std::string_view text, Matches matches) {
  if (alternatives.empty()) return 0;
  if (text.empty()) return -1;
  int best = -1;
  while (true) {
    const size_t bar = alternatives.find('|');
    const std::string_view pattern = alternatives.substr(0, bar);
    if (matches(pattern, text)) {
      best = std::max(best, static_cast<int>(pattern.size() - std::count(pattern.begin(), pattern.end(), '*')));
    }
    if (bar == std::string_view::npos) return best;
    alternatives.remove_prefix(bar + 1);
  }
}

}  // namespace

std::span<const BlameRule> blame_rules() { return rules_of_culprit; }

const BlameRule* skipping_rule(std::span<const BlameRule> rules, const ReportFrame& frame) {
  const std::string name = qualified_name(frame.function);
  const BlameRule* best = nullptr;
  int best_score = -1;
  for (const BlameRule& rule : rules) {
    const int module = specificity(rule.module, frame.module, path_glob_matches);
    const int function = module < 0 ? -1 : specificity(rule.function, name, glob_matches);
    const int file = function < 0 ? -1 : specificity(rule.file, frame.file, glob_matches);
    if (file < 0 || module + function + file <= best_score) continue;
    best_score = module + function + file;
    best = &rule;
  }
  return best;
}

void assign_blame(std::span<const BlameRule> rules, ReportStack& stack) {
  stack.blamed.reset();
  for (size_t i = 0; i < stack.frames.size(); ++i) {
    ReportFrame& frame = stack.frames[i];
    frame.skipped_by.clear();
    const BlameRule* rule = skipping_rule(rules, frame);
    if (!rule) {
      stack.blamed = i;
      return;
    }
    frame.skipped_by = rule->name;
  }
}

bool is_own_module(std::string_view path) {
  if (path.empty() || path.front() != '/') return path.empty() ? false : path.front() != '[';
  const bool system = std::any_of(system_library_directories.begin(), system_library_directories.end(),
                                  [&](std::string_view directory) { return path.starts_with(directory); });
  if (!system) return true;
  const std::string_view file = path.substr(path.rfind('/') + 1);
  return !(file.ends_with(".so") || file.find(".so.") != std::string_view::npos);
}

}  // namespace culprit
