// Expressions as WinDbg's users type them.
#include "shell/expression.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <map>
#include <string>

namespace culprit {
namespace {

using testing::HasSubstr;

class Names final : public ExpressionNames {
 public:
  bool is_module(std::string_view name) override {
    return name == "orders" || name == "libstdc++" || name == "ld-linux-x86-64";
  }
  Result<uint64_t> address_of(std::string_view name) override {
    static const std::map<std::string, uint64_t, std::less<>> addresses = {{"orders", 0x10000},
                                                                           {"main", 0x10100},
                                                                           {"orders!main", 0x10100},
                                                                           {"orders!add", 0x10200},
                                                                           {"bank::pay", 0x10300},
                                                                           {"orders!Account::~Account", 0x10400},
                                                                           {"libstdc++!std::end", 0x500},
                                                                           {"work.part.0", 0x10600},
                                                                           {"ld-linux-x86-64!open", 0x700},
                                                                           {"map<int, long>::at()", 0x800}};
    auto found = addresses.find(name);
    if (found == addresses.end()) return fail(ErrorKind::not_found, "there is no symbol " + std::string(name));
    return found->second;
  }
};

// 0x2000: 0x8877665544332211, then 8 bytes of 0xff.
constexpr std::array<uint64_t, 2> words = {0x8877665544332211, UINT64_MAX};

Result<uint64_t> value_of(std::string_view text) {
  Names names;
  auto expression = parse_expression(text, names);
  if (!expression) return tl::unexpected<Error>(expression.error());
  CopiedMemory memory(0x2000, std::as_bytes(std::span(words)));
  Registers registers;
  registers.rax = 0x123456789abcdef0;
  registers.rsp = 0x2000;
  registers.rip = 0x10108;
  registers.rdi = 5;
  registers.r15 = 0xffffffffffffffff;
  registers.eflags = 0x246;  // PF ZF IF
  return evaluate(*expression, {.registers = &registers, .memory = &memory, .pid = 17, .tid = 18});
}

uint64_t number(std::string_view text) {
  auto value = value_of(text);
  EXPECT_TRUE(value) << text << ": " << (value ? "" : value.error().what);
  return value.value_or(0xdeadbeef);
}
std::string complaint(std::string_view text) {
  auto value = value_of(text);
  EXPECT_FALSE(value) << text;
  return value ? "" : value.error().what;
}

TEST(Expression, ReadsNumbersInHexadecimalUnlessToldOtherwise) {
  EXPECT_EQ(number("10"), 0x10u);
  EXPECT_EQ(number("0x1f"), 0x1fu);
  EXPECT_EQ(number("0n31"), 31u);
  EXPECT_EQ(number("0t17"), 017u);
  EXPECT_EQ(number("0y101"), 5u);
  EXPECT_EQ(number("1Fh"), 0x1fu);
  EXPECT_EQ(number("c"), 0xcu);
  EXPECT_EQ(number("00007ff6`c0012b90"), 0x7ff6c0012b90u);
  EXPECT_EQ(number("ffffffffffffffff"), UINT64_MAX);
  Names names;
  EXPECT_EQ(evaluate(*parse_expression("31", names, 10), {}), 31u);
  EXPECT_THAT(complaint("10000000000000000"), HasSubstr("64 bits"));
  EXPECT_THAT(complaint("0n1f"), HasSubstr("64 bits"));
}

TEST(Expression, KnowsOperatorsWithTheirPrecedence) {
  EXPECT_EQ(number("2+3*4"), 14u);
  EXPECT_EQ(number("(2+3)*4"), 20u);
  EXPECT_EQ(number("10-4-4"), 8u);
  EXPECT_EQ(number("1 << 4 | 1"), 0x11u);
  EXPECT_EQ(number("-1 >> 3c"), 0xfu);
  EXPECT_EQ(number("-1 >>> 3c"), UINT64_MAX);
  EXPECT_EQ(number("7 mod 4"), 3u);
  EXPECT_EQ(number("7 % 4"), 3u);
  EXPECT_EQ(number("6 and 3"), 2u);
  EXPECT_EQ(number("6 xor 3"), 5u);
  EXPECT_EQ(number("6 or 3"), 7u);
  EXPECT_EQ(number("!0 + ~0"), 0u);
  EXPECT_EQ(number("not 5"), 0u);
  EXPECT_EQ(number("hi 12345678"), 0x1234u);
  EXPECT_EQ(number("low(12345678)"), 0x5678u);
  EXPECT_EQ(number("1 < 2 == 1"), 1u);
  EXPECT_EQ(number("- - 5"), 5u);
}

TEST(Expression, ComparesAsUnsignedNumbers) {
  EXPECT_EQ(number("2 > 1"), 1u);
  EXPECT_EQ(number("-1 > 1"), 1u);
  EXPECT_EQ(number("1 = 1"), 1u);
  EXPECT_EQ(number("1 != 1"), 0u);
  EXPECT_EQ(number("2 <= 2 && 3 >= 4"), 0u);
  EXPECT_EQ(number("0 || 7"), 1u);
}

TEST(Expression, StopsEarlyAtAndAndOr) {
  EXPECT_EQ(number("0 && poi(0)"), 0u);
  EXPECT_EQ(number("1 || poi(0)"), 1u);
  EXPECT_EQ(number("(0 && poi(0)) || 2 > 1"), 1u);
  EXPECT_THAT(complaint("1 && poi(0)"), HasSubstr("no memory at 0x0"));
}

TEST(Expression, NamesSymbolsWithAndWithoutModule) {
  EXPECT_EQ(number("main"), 0x10100u);
  EXPECT_EQ(number("orders!main+8"), 0x10108u);
  EXPECT_EQ(number("orders+8"), 0x10008u);
  EXPECT_EQ(number("orders!add"), 0x10200u);
  EXPECT_EQ(number("add"), 0xaddu) << "a word of hexadecimal digits is a number";
  EXPECT_EQ(number("bank::pay + 1"), 0x10301u);
  EXPECT_EQ(number("orders!Account::~Account"), 0x10400u);
  EXPECT_EQ(number("libstdc++!std::end"), 0x500u);
  EXPECT_EQ(number("10+libstdc++!std::end"), 0x510u);
  EXPECT_EQ(number("main - ld-linux-x86-64!open"), 0xfa00u);
  EXPECT_EQ(number("work.part.0"), 0x10600u);
  EXPECT_EQ(number("@!\"map<int, long>::at()\"+1"), 0x801u);
  EXPECT_EQ(number("main!=main"), 0u);
  EXPECT_THAT(complaint("2+nothing"), HasSubstr("no symbol nothing (character 3 of '2+nothing')"));
  EXPECT_THAT(complaint("nomodule!main"), HasSubstr("no symbol nomodule!main"));
}

TEST(Expression, ReadsRegistersAndTheirParts) {
  EXPECT_EQ(number("@rax"), 0x123456789abcdef0u);
  EXPECT_EQ(number("@eax"), 0x9abcdef0u);
  EXPECT_EQ(number("@ax"), 0xdef0u);
  EXPECT_EQ(number("@al"), 0xf0u);
  EXPECT_EQ(number("@ah"), 0xdeu);
  EXPECT_EQ(number("@R15D"), 0xffffffffu);
  EXPECT_EQ(number("rdi"), 5u) << "without @ when nothing else is called so";
  EXPECT_EQ(number("@zf"), 1u);
  EXPECT_EQ(number("@cf"), 0u);
  EXPECT_EQ(number("."), 0x10108u);
  EXPECT_EQ(number("@$ip - ."), 0u);
  EXPECT_EQ(number("@$tid"), 18u);
  EXPECT_EQ(number("@$tpid"), 17u);
  EXPECT_THAT(complaint("@rx"), HasSubstr("no register @rx"));
}

TEST(Expression, ReadsMemory) {
  EXPECT_EQ(number("by(@rsp)"), 0x11u);
  EXPECT_EQ(number("wo(@rsp+1)"), 0x3322u);
  EXPECT_EQ(number("dwo @rsp"), 0x44332211u);
  EXPECT_EQ(number("poi(@rsp)"), 0x8877665544332211u);
  EXPECT_EQ(number("qwo(poi(@rsp) - 8877665544332211 + 2008)"), UINT64_MAX);
  EXPECT_THAT(complaint("poi(1)"), HasSubstr("no memory at 0x1"));
  EXPECT_THAT(complaint("poi(2009)"), HasSubstr("no memory")) << "the last byte is not there";
}

TEST(Expression, ShowsThePlaceOfAMistake) {
  EXPECT_THAT(complaint("(1+2"), HasSubstr("parenthesis is not closed (character 1 of '(1+2')"));
  EXPECT_THAT(complaint("1+"), HasSubstr("something is missing (character 3"));
  EXPECT_THAT(complaint("1 2"), HasSubstr("operator is missing (character 3"));
  EXPECT_THAT(complaint("1 + )"), HasSubstr("neither a number nor a name (character 5"));
  EXPECT_THAT(complaint(""), HasSubstr("something is missing"));
  EXPECT_THAT(complaint("1/0"), HasSubstr("division by zero"));
  EXPECT_THAT(complaint(std::string(1000, '(')), HasSubstr("too deep"));
  EXPECT_THAT(complaint(std::string(5000, '1')), HasSubstr("too long"));
  EXPECT_THAT(complaint("orders!"), HasSubstr("missing after the module"));
}

TEST(Expression, EndsWhereAnotherWordBegins) {
  Names names;
  std::string_view rest;
  auto expression = parse_leading_expression("main + 8 L10", names, rest);
  ASSERT_TRUE(expression);
  EXPECT_EQ(rest, "L10");
  EXPECT_EQ(evaluate(*expression, {}), 0x10108u);
  ASSERT_TRUE(parse_leading_expression("2000 \"k; gc\"", names, rest));
  EXPECT_EQ(rest, "\"k; gc\"");
  ASSERT_TRUE(parse_leading_expression("2000, 4", names, rest));
  EXPECT_EQ(rest, ", 4");
}

TEST(Expression, RefusesStepsThatDoNotFitTogether) {
  EXPECT_FALSE(evaluate({}, {}));
  EXPECT_FALSE(evaluate({{ExpressionOp::add, 0}}, {}));
  EXPECT_FALSE(evaluate({{ExpressionOp::constant, 1}, {ExpressionOp::constant, 1}}, {}));
  EXPECT_FALSE(evaluate({{ExpressionOp::constant, 1}, {ExpressionOp::skip_if_true, 5}}, {}));
  EXPECT_FALSE(evaluate({{ExpressionOp::register_value, 0xffff}}, {}));
  EXPECT_FALSE(evaluate({{ExpressionOp::constant, 1}, {ExpressionOp::read, 9}}, {}));
  EXPECT_THAT(evaluate({{ExpressionOp::register_value, register_part(0, 0, 64)}}, {}).error().what,
              HasSubstr("registers are not known"));
}

}  // namespace
}  // namespace culprit
