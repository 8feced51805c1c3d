#include "analysis/blame.h"

#include <algorithm>
#include <array>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "base/glob.h"
#include "symbols/function_name.h"

namespace culprit {

namespace {

constexpr BlameRule rules_of_culprit[] = {
#include "analysis/blame_rules.inc"
};

struct Rules {
  std::vector<BlameRule> rules{std::begin(rules_of_culprit), std::end(rules_of_culprit)};
  std::deque<std::string> texts;  // of the user's; they stay where they are
};

Rules& all_rules() {
  static Rules rules;
  return rules;
}

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

std::span<const BlameRule> blame_rules() { return all_rules().rules; }

void add_blame_rules(std::span<const BlameRule> rules) {
  Rules& all = all_rules();
  std::vector<BlameRule> copies;
  for (const BlameRule& rule : rules) {
    BlameRule& copy = copies.emplace_back(rule);
    for (std::string_view* text : {&copy.name, &copy.module, &copy.function, &copy.file, &copy.reason})
      *text = all.texts.emplace_back(*text);
  }
  all.rules.insert(all.rules.begin(), copies.begin(), copies.end());
}

const BlameRule* rule_of(std::span<const BlameRule> rules, const ReportFrame& frame) {
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

const BlameRule* skipping_rule(std::span<const BlameRule> rules, const ReportFrame& frame) {
  const BlameRule* rule = rule_of(rules, frame);
  return rule != nullptr && rule->owner == Owner::strong ? nullptr : rule;
}

void assign_blame(std::span<const BlameRule> rules, ReportStack& stack) {
  stack.blamed.reset();
  std::optional<size_t> weak;
  for (size_t i = 0; i < stack.frames.size(); ++i) {
    ReportFrame& frame = stack.frames[i];
    frame.skipped_by.clear();
    const BlameRule* rule = rule_of(rules, frame);
    if (rule == nullptr || rule->owner == Owner::strong) {
      stack.blamed = i;
      return;
    }
    if (rule->owner == Owner::weak && !weak) weak = i;
    frame.skipped_by = rule->name;
  }
  if (!weak) return;
  stack.blamed = weak;
  for (size_t i = *weak; i < stack.frames.size(); ++i) stack.frames[i].skipped_by.clear();
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
