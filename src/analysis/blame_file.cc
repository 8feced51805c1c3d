#include "analysis/blame_file.h"

#include <fmt/format.h>

#include <optional>

#include "analysis/rule_lines.h"
#include "base/text.h"

namespace culprit {
namespace {

struct Key {
  std::string_view word;
  std::string BlameFileRule::*text;
};
constexpr Key keys[] = {{"mod:", &BlameFileRule::module},
                        {"fun:", &BlameFileRule::function},
                        {"file:", &BlameFileRule::file},
                        {"why:", &BlameFileRule::reason}};
constexpr std::string_view owner_key = "owner:";

struct OwnerWord {
  std::string_view word;
  Owner owner;
};
constexpr OwnerWord owners[] = {{"none", Owner::none}, {"weak", Owner::weak}, {"strong", Owner::strong}};

class BlameFileParser {
 public:
  Result<std::vector<BlameFileRule>> parse(std::string_view text) {
    for (RuleLines lines(text); lines.next();) {
      number_ = lines.number();
      CULPRIT_TRY(lines.line().front() == '[' ? begin(lines.line()) : add(lines.line()));
    }
    CULPRIT_TRY(end());
    return std::move(rules_);
  }

 private:
  Result<void> begin(std::string_view line) {
    CULPRIT_TRY(end());
    std::string_view name = line.back() == ']' ? trimmed_line(line.substr(1, line.size() - 2)) : "";
    if (name.empty()) return wrong_line(number_, "a rule begins with its name in brackets: [name]");
    rules_.push_back({.name = std::string(name)});
    began_ = number_;
    has_owner_ = false;
    return {};
  }

  Result<void> add(std::string_view line) {
    if (rules_.empty()) return wrong_line(number_, "a rule begins with its name in brackets: [name]");
    if (line.starts_with(owner_key)) return set_owner(trimmed_line(line.substr(owner_key.size())));
    for (const Key& key : keys) {
      if (!line.starts_with(key.word)) continue;
      std::string_view value = trimmed_line(line.substr(key.word.size()));
      std::string& text = rules_.back().*key.text;
      if (value.empty()) return wrong_line(number_, fmt::format("nothing after \"{}\"", key.word));
      if (!text.empty()) return wrong_line(number_, fmt::format("\"{}\" twice in one rule", key.word));
      text = value;
      return {};
    }
    return wrong_line(number_,
                      fmt::format("\"{}\" is not understood: expected [name], mod:, fun:, file:, owner: or why:",
                                  shorten_middle(printable(line), 60)));
  }

  Result<void> set_owner(std::string_view word) {
    if (has_owner_) return wrong_line(number_, "\"owner:\" twice in one rule");
    for (const OwnerWord& each : owners) {
      if (each.word != word) continue;
      has_owner_ = true;
      rules_.back().owner = each.owner;
      return {};
    }
    return wrong_line(
        number_, fmt::format("\"{}\" is no owner: expected none, weak or strong", shorten_middle(printable(word), 60)));
  }

  // The rule before, if there is one.
  Result<void> end() const {
    if (rules_.empty()) return {};
    const BlameFileRule& last = rules_.back();
    if (!last.module.empty() || !last.function.empty() || !last.file.empty()) return {};
    return wrong_line(began_, fmt::format("[{}] has no mod:, fun: or file:, it would match every frame",
                                          shorten_middle(printable(last.name), 60)));
  }

  std::vector<BlameFileRule> rules_;
  size_t number_ = 0, began_ = 0;
  bool has_owner_ = false;
};

}  // namespace

Result<std::vector<BlameFileRule>> parse_blame_rules(std::string_view text) { return BlameFileParser().parse(text); }

}  // namespace culprit
