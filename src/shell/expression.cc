#include "shell/expression.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "base/text.h"

namespace culprit {
namespace {

constexpr size_t longest_text = 4096;
constexpr int deepest = 100;  // parentheses and signs within each other

bool is_blank(char c) { return c == ' ' || c == '\t'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
// Compilers put dots into the names of pieces of functions: work.part.0.
bool is_name_part(char c) { return is_letter(c) || is_digit(c) || c == '$' || c == '.' || c == '?'; }

struct BinaryOperator {
  std::string_view text;
  ExpressionOp op;
  int strength;
};
constexpr BinaryOperator binary_operators[] = {
    // Longer ones first.
    {">>>", ExpressionOp::shift_right_signed, 8},
    {"<<", ExpressionOp::shift_left, 8},
    {">>", ExpressionOp::shift_right, 8},
    {"<=", ExpressionOp::less_or_equal, 7},
    {">=", ExpressionOp::greater_or_equal, 7},
    {"==", ExpressionOp::equal, 6},
    {"!=", ExpressionOp::not_equal, 6},
    {"&&", ExpressionOp::skip_if_false, 2},
    {"||", ExpressionOp::skip_if_true, 1},
    {"=", ExpressionOp::equal, 6},
    {"<", ExpressionOp::less, 7},
    {">", ExpressionOp::greater, 7},
    {"*", ExpressionOp::multiply, 10},
    {"/", ExpressionOp::divide, 10},
    {"%", ExpressionOp::remainder, 10},
    {"+", ExpressionOp::add, 9},
    {"-", ExpressionOp::subtract, 9},
    {"&", ExpressionOp::bit_and, 5},
    {"^", ExpressionOp::bit_xor, 4},
    {"|", ExpressionOp::bit_or, 3},
    {"mod", ExpressionOp::remainder, 10},
    {"and", ExpressionOp::bit_and, 5},
    {"xor", ExpressionOp::bit_xor, 4},
    {"or", ExpressionOp::bit_or, 3},
};

struct UnaryWord {
  std::string_view text;
  ExpressionStep step;
};
constexpr UnaryWord unary_words[] = {
    {"by", {ExpressionOp::read, 1}},    {"wo", {ExpressionOp::read, 2}},    {"dwo", {ExpressionOp::read, 4}},
    {"qwo", {ExpressionOp::read, 8}},   {"poi", {ExpressionOp::read, 8}},   {"not", {ExpressionOp::is_zero, 0}},
    {"hi", {ExpressionOp::high_16, 0}}, {"low", {ExpressionOp::low_16, 0}},
};

std::optional<uint64_t> digits_value(std::string_view digits, unsigned radix) {
  if (digits.empty()) return {};
  uint64_t value = 0;
  for (char c : digits) {
    if (c == '`') continue;
    unsigned digit = 99;
    if (is_digit(c)) digit = static_cast<unsigned>(c - '0');
    if (c >= 'a' && c <= 'f') digit = static_cast<unsigned>(c - 'a') + 10;
    if (c >= 'A' && c <= 'F') digit = static_cast<unsigned>(c - 'A') + 10;
    if (digit >= radix || value > (UINT64_MAX - digit) / radix) return {};
    value = value * radix + digit;
  }
  return digits.find_first_not_of('`') != digits.npos ? std::optional(value) : std::nullopt;
}

std::optional<uint64_t> number_value(std::string_view word, unsigned radix) {
  if (word.size() > 2 && word[0] == '0') {
    constexpr std::pair<char, unsigned> prefixes[] = {{'x', 16}, {'n', 10}, {'t', 8}, {'y', 2}};
    for (auto [letter, its_radix] : prefixes)
      if ((word[1] | 0x20) == letter) return digits_value(word.substr(2), its_radix);
  }
  if (auto value = digits_value(word, radix)) return value;
  if (is_digit(word[0]) && (word.back() | 0x20) == 'h') return digits_value(word.substr(0, word.size() - 1), 16);
  return {};
}

class Parser {
 public:
  Parser(std::string_view text, ExpressionNames& names, unsigned radix) : text_(text), names_(names), radix_(radix) {}

  Result<Expression> leading() {
    if (text_.size() > longest_text) return complaint("too long an expression", 0);
    CULPRIT_TRY(binary(1));
    skip_blanks();
    return std::move(steps_);
  }
  size_t position() const { return at_; }
  tl::unexpected<Error> complaint(std::string_view what, size_t at) const {
    return fail(ErrorKind::usage, at == 0 && text_.empty() ? std::string(what)
                                                           : fmt::format("{} (character {} of '{}')", what, at + 1,
                                                                         shorten_middle(printable(text_), 60)));
  }
  bool at_end() const { return at_ >= text_.size(); }

 private:
  void skip_blanks() {
    while (!at_end() && is_blank(text_[at_])) ++at_;
  }
  std::string_view rest() const { return text_.substr(at_); }
  void add(ExpressionOp op, uint64_t value = 0) { steps_.push_back({op, value}); }

  // A word, not the beginning of a longer one.
  bool stands_here(std::string_view word) const {
    if (!rest().starts_with(word)) return false;
    return !is_letter(word[0]) || at_ + word.size() >= text_.size() || !is_name_part(text_[at_ + word.size()]);
  }

  const BinaryOperator* next_operator() const {
    for (const BinaryOperator& row : binary_operators)
      if (stands_here(row.text)) return &row;
    return nullptr;
  }

  Result<void> binary(int weakest) {
    CULPRIT_TRY(unary());
    for (;;) {
      size_t before = at_;
      skip_blanks();
      const BinaryOperator* row = next_operator();
      if (row == nullptr || row->strength < weakest) {
        at_ = before;
        return {};
      }
      at_ += row->text.size();
      bool is_early = row->op == ExpressionOp::skip_if_false || row->op == ExpressionOp::skip_if_true;
      size_t skip = steps_.size();
      if (is_early) add(row->op);
      CULPRIT_TRY(binary(row->strength + 1));
      if (is_early) {
        steps_[skip].value = steps_.size() - skip - 1;
        add(ExpressionOp::truth);
      } else {
        add(row->op);
      }
    }
  }

  Result<void> unary() {
    if (++depth_ > deepest) return complaint("too deep an expression", at_);
    auto result = unary_within();
    --depth_;
    return result;
  }

  Result<void> unary_within() {
    skip_blanks();
    if (at_end()) return complaint("something is missing", at_);
    constexpr std::pair<char, ExpressionOp> signs[] = {
        {'-', ExpressionOp::negate}, {'~', ExpressionOp::invert}, {'!', ExpressionOp::is_zero}};
    for (auto [sign, op] : signs) {
      if (text_[at_] != sign) continue;
      ++at_;
      CULPRIT_TRY(unary());
      add(op);
      return {};
    }
    if (text_[at_] == '+') {
      ++at_;
      return unary();
    }
    for (const UnaryWord& row : unary_words) {
      if (!stands_here(row.text)) continue;
      at_ += row.text.size();
      CULPRIT_TRY(unary());
      steps_.push_back(row.step);
      return {};
    }
    return primary();
  }

  Result<void> primary() {
    size_t begin = at_;
    if (text_[at_] == '(') {
      ++at_;
      CULPRIT_TRY(binary(1));
      skip_blanks();
      if (at_end() || text_[at_] != ')') return complaint("a parenthesis is not closed", begin);
      ++at_;
      return {};
    }
    if (rest().starts_with("@!\"")) return quoted_name();
    if (text_[at_] == '@') return at_register();
    if (is_digit(text_[at_])) return number();
    if (text_[at_] == '.' && (at_ + 1 >= text_.size() || !is_name_part(text_[at_ + 1]))) {
      ++at_;
      steps_.push_back(*register_step("$ip"));
      return {};
    }
    if (is_letter(text_[at_]) || text_[at_] == '$') return name();
    return complaint("neither a number nor a name", at_);
  }

  Result<void> quoted_name() {
    size_t begin = at_, open = at_ + 3, close = text_.find('"', open);
    if (close == text_.npos) return complaint("a quote is not closed", begin);
    at_ = close + 1;
    return symbol(text_.substr(open, close - open), begin);
  }

  Result<void> at_register() {
    size_t begin = at_++;
    std::string_view word = take_while(is_name_part);
    auto step = register_step(word);
    if (!step) return complaint(fmt::format("there is no register @{}", printable(word)), begin);
    steps_.push_back(*step);
    return {};
  }

  Result<void> number() {
    if (std::string_view module = module_here(); !module.empty()) return name();
    size_t begin = at_;
    std::string_view word = take_while([](char c) { return is_digit(c) || is_letter(c) || c == '`'; });
    auto value = number_value(word, radix_);
    if (!value) return complaint(fmt::format("'{}' is not a number of 64 bits", printable(word)), begin);
    add(ExpressionOp::constant, *value);
    return {};
  }

  // "libstdc++" of "libstdc++!std::terminate"; empty: what stands here does not begin with a module.
  std::string_view module_here() const {
    size_t end = at_;
    while (end < text_.size() && (is_name_part(text_[end]) || text_[end] == '+' || text_[end] == '-')) ++end;
    bool is_prefix = end > at_ && end < text_.size() && text_[end] == '!' && !text_.substr(end).starts_with("!=");
    std::string_view module = text_.substr(at_, end - at_);
    return is_prefix && names_.is_module(module) ? module : std::string_view{};
  }

  Result<void> name() {
    size_t begin = at_;
    std::string_view module = module_here();
    if (!module.empty()) at_ += module.size() + 1;
    size_t part = at_;
    for (;;) {
      take_while(is_name_part);
      if (rest().starts_with("::")) {
        at_ += 2;
        if (!at_end() && text_[at_] == '~') ++at_;
        continue;
      }
      bool names_module = module.empty() && rest().starts_with("!") && !rest().starts_with("!=") && at_ > part;
      if (!names_module || text_.substr(begin, at_ - begin).find('!') != std::string_view::npos) break;
      ++at_;
    }
    if (at_ == part) return complaint("a name is missing after the module", at_);
    std::string_view word = text_.substr(begin, at_ - begin);
    if (module.empty()) {
      if (auto value = number_value(word, radix_)) {
        add(ExpressionOp::constant, *value);
        return {};
      }
    }
    return symbol(word, begin);
  }

  Result<void> symbol(std::string_view word, size_t begin) {
    auto address = names_.address_of(word);
    if (address) {
      add(ExpressionOp::constant, *address);
      return {};
    }
    if (auto step = register_step(word)) {
      steps_.push_back(*step);
      return {};
    }
    return complaint(address.error().what, begin);
  }

  template <typename Test>
  std::string_view take_while(Test test) {
    size_t begin = at_;
    while (!at_end() && test(text_[at_])) ++at_;
    return text_.substr(begin, at_ - begin);
  }

  std::string_view text_;
  ExpressionNames& names_;
  unsigned radix_;
  size_t at_ = 0;
  int depth_ = 0;
  Expression steps_;
};

}  // namespace

Result<Expression> parse_leading_expression(std::string_view text, ExpressionNames& names, std::string_view& rest,
                                            unsigned radix) {
  Parser parser(text, names, radix);
  auto expression = parser.leading();
  if (expression) rest = text.substr(parser.position());
  return expression;
}

Result<Expression> parse_expression(std::string_view text, ExpressionNames& names, unsigned radix) {
  Parser parser(text, names, radix);
  auto expression = parser.leading();
  if (expression && !parser.at_end()) return parser.complaint("an operator is missing", parser.position());
  return expression;
}

}  // namespace culprit
