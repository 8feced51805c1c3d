#include "shell/blame_settings.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>

#include "analysis/blame_file.h"
#include "base/syscall.h"
#include "base/text.h"

namespace culprit {
namespace {

constexpr size_t largest_file = size_t{1} << 20;

// Empty: there is no such folder.
std::string settings_file() {
  const char* settings = std::getenv("XDG_CONFIG_HOME");
  if (settings != nullptr && settings[0] == '/') return std::string(settings) + "/culprit/blame";
  const char* home = std::getenv("HOME");
  return home != nullptr && home[0] == '/' ? std::string(home) + "/.config/culprit/blame" : "";
}

Result<void> use_file(const std::string& path) {
  auto text = read_whole_file(path, largest_file);
  if (!text) return tl::unexpected<Error>(text.error());
  auto parsed = parse_blame_rules(*text);
  if (!parsed) return fail(ErrorKind::usage, fmt::format("{}: {}", path, parsed.error().what));
  std::vector<BlameRule> rules;
  for (const BlameFileRule& rule : *parsed) rules.push_back(rule.row());
  add_blame_rules(rules);
  return {};
}

}  // namespace

Result<void> use_blame_rules(const Command& command, const Arguments& arguments) {
  if (find_option(command, blame_rules_name) == nullptr) return {};
  std::string settings = settings_file();
  if (!settings.empty() && ::access(settings.c_str(), F_OK) == 0) CULPRIT_TRY(use_file(settings));
  // The last ones added come first.
  if (arguments.has(blame_rules_name)) return use_file(arguments.text(blame_rules_name));
  return {};
}

}  // namespace culprit
