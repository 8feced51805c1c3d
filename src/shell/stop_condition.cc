#include "shell/stop_condition.h"

#include <fmt/format.h>

#include <algorithm>

#include "shell/values.h"

namespace culprit {

namespace {

constexpr size_t longest_text = 4096;
constexpr int deepest = 32;

}  // namespace

class StopConditionParser {
 public:
  explicit StopConditionParser(std::string_view text) : text_(text) {}

  Result<StopCondition> parse() {
    if (text_.size() > longest_text) return fail(ErrorKind::usage, "the condition to stop is too long");
    auto root = disjunction(0);
    if (!root) return tl::unexpected<Error>(root.error());
    skip_blanks();
    if (at_ < text_.size()) return wrong("'and', 'or' or the end");
    condition_.root_ = *root;
    return std::move(condition_);
  }

 private:
  using Kind = StopCondition::Kind;
  using Relation = StopCondition::Relation;

  void skip_blanks() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t')) ++at_;
  }
  tl::unexpected<Error> wrong(std::string_view wanted) {
    std::string_view rest = text_.substr(std::min(at_, text_.size()), 20);
    std::string there = rest.empty() ? "the end" : fmt::format("'{}'", rest);
    return fail(ErrorKind::usage,
                fmt::format("the condition to stop has {} where {} should be (at offset {})", there, wanted, at_), at_);
  }
  bool take(std::string_view sign) {
    skip_blanks();
    if (!text_.substr(at_).starts_with(sign)) return false;
    at_ += sign.size();
    return true;
  }
  static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
  bool take_word(std::string_view word) {
    skip_blanks();
    size_t end = at_ + word.size();
    if (!text_.substr(at_).starts_with(word) || (end < text_.size() && is_letter(text_[end]))) return false;
    at_ = end;
    return true;
  }
  size_t add(StopCondition::Node node) {
    condition_.nodes_.push_back(std::move(node));
    return condition_.nodes_.size() - 1;
  }

  // Parts joined by a word.
  template <typename Part>
  Result<size_t> joined(std::string_view word, Kind kind, Part part) {
    std::vector<size_t> parts;
    do {
      Result<size_t> one = part();
      if (!one) return one;
      parts.push_back(*one);
    } while (take_word(word));
    if (parts.size() == 1) return parts.front();
    return add({.kind = kind, .whose = {}, .parts = std::move(parts)});
  }
  Result<size_t> disjunction(int depth) {
    if (depth > deepest) return fail(ErrorKind::usage, "the condition to stop has too many parentheses", at_);
    return joined("or", Kind::any, [&] { return joined("and", Kind::all, [&] { return comparison(depth); }); });
  }
  Result<size_t> comparison(int depth) {
    if (take("(")) {
      auto inner = disjunction(depth + 1);
      if (inner && !take(")")) return wrong("a closing parenthesis");
      return inner;
    }
    StopCondition::Node node;
    if (take_word("handles")) {
      node.kind = Kind::handles;
      if (!take("(")) return wrong("'(' and whose handles");
      size_t end = text_.find(')', at_);
      if (end == text_.npos || end == at_) return wrong("a process's name or pid, or all, and ')'");
      node.whose = text_.substr(at_, end - at_);
      at_ = end + 1;
    } else if (take_word("events")) {
      node.kind = Kind::events;
    } else if (take_word("size")) {
      node.kind = Kind::size;
    } else {
      return wrong("handles(NAME), events or size");
    }
    return compared(std::move(node));
  }
  Result<size_t> compared(StopCondition::Node node) {
    // The longer signs first.
    constexpr std::pair<std::string_view, Relation> relations[] = {
        {">=", Relation::at_least}, {"<=", Relation::at_most}, {"==", Relation::equal},
        {"!=", Relation::unequal},  {">", Relation::more},     {"<", Relation::less}};
    auto relation = std::ranges::find_if(relations, [&](const auto& row) { return take(row.first); });
    if (relation == std::end(relations)) return wrong("one of > >= < <= == !=");
    node.relation = relation->second;
    skip_blanks();
    size_t end = at_;
    while (end < text_.size() &&
           (is_letter(text_[end]) || text_[end] == '.' || (text_[end] >= '0' && text_[end] <= '9')))
      ++end;
    std::string_view word = text_.substr(at_, end - at_);
    auto number = node.kind == Kind::size ? parse_size(word)
                  : word == "0"           ? std::optional<uint64_t>(0)
                                          : parse_count(word);
    if (!number) return wrong(node.kind == Kind::size ? "a size such as 2G" : "a whole number");
    node.number = *number;
    at_ = end;
    return add(std::move(node));
  }

  std::string_view text_;
  size_t at_ = 0;
  StopCondition condition_;
};

Result<StopCondition> StopCondition::parse(std::string_view text) { return StopConditionParser(text).parse(); }

bool StopCondition::holds(size_t index, const StopFacts& facts) const {
  const Node& node = nodes_[index];
  auto part_holds = [&](size_t part) { return holds(part, facts); };
  if (node.kind == Kind::any) return std::ranges::any_of(node.parts, part_holds);
  if (node.kind == Kind::all) return std::ranges::all_of(node.parts, part_holds);
  const uint64_t value = node.kind == Kind::events ? facts.events
                         : node.kind == Kind::size ? facts.size
                                                   : facts.handles(node.whose);
  switch (node.relation) {
    case Relation::more:
      return value > node.number;
    case Relation::at_least:
      return value >= node.number;
    case Relation::less:
      return value < node.number;
    case Relation::at_most:
      return value <= node.number;
    case Relation::equal:
      return value == node.number;
    case Relation::unequal:
      return value != node.number;
  }
  return false;
}

}  // namespace culprit
