// What people type behind bp.
#include "shell/breakpoint_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace culprit {
namespace {

using testing::HasSubstr;

class NoNames final : public ExpressionNames {
 public:
  bool is_module(std::string_view) override { return false; }
  Result<uint64_t> address_of(std::string_view) override { return fail(ErrorKind::not_found, "no such symbol"); }
};

BreakpointLine parsed(std::string_view text, unsigned radix = 16) {
  auto line = parse_breakpoint_line(text, radix);
  EXPECT_TRUE(line) << text << ": " << line.error().what;
  return line ? *line : BreakpointLine{};
}

std::string complaint(std::string_view text) {
  auto line = parse_breakpoint_line(text, 16);
  EXPECT_FALSE(line) << text;
  return line ? "" : line.error().what;
}

// "stops if": +, "stops unless": -, no decision: nothing, no expression: ?
std::string decision(std::string_view commands) {
  NoNames names;
  auto found = decision_of(commands, names, 16);
  if (!found) return "?";
  if (!*found) return "";
  return (*found)->stops_if ? "+" : "-";
}

TEST(BreakpointLine, HasAPlaceAPassCountAndCommands) {
  BreakpointLine line = parsed(R"(malloc 3 "k; gc")");
  EXPECT_EQ(line.where, "malloc");
  EXPECT_EQ(line.passes, 3u);
  EXPECT_EQ(line.commands, "k; gc");
  EXPECT_FALSE(line.is_one_shot);
  EXPECT_EQ(parsed("").where, "") << "where the thread stands";
  EXPECT_EQ(parsed("libc!open").passes, 1u);
  EXPECT_EQ(parsed("poi(@rsp + 8) 2").where, "poi(@rsp + 8)") << "blanks in parentheses belong to the place";
  EXPECT_EQ(parsed(R"(f"k")").commands, "k") << "no blank is needed";
}

TEST(BreakpointLine, NumbersOfPassesAreOfTheRadix) {
  EXPECT_EQ(parsed("f 10").passes, 0x10u);
  EXPECT_EQ(parsed("f 10", 10).passes, 10u);
  EXPECT_EQ(parsed("f 0n10").passes, 10u);
  EXPECT_EQ(parsed("f 0x10", 10).passes, 0x10u);
}

TEST(BreakpointLine, OptionsStandBeforeThePlace) {
  BreakpointLine line = parsed("/1 /t 4711 malloc");
  EXPECT_TRUE(line.is_one_shot);
  EXPECT_EQ(line.tid, 4711u);
  EXPECT_EQ(line.where, "malloc");
}

TEST(BreakpointLine, QuotesWithinCommandsAreEscaped) {
  EXPECT_EQ(parsed(R"(f ".echo \"a\\b\"; gc")").commands, R"(.echo "a\b"; gc)");
}

TEST(BreakpointLine, WhatMakesNoSenseIsSaid) {
  EXPECT_THAT(complaint("/2 f"), HasSubstr("/2 is no option"));
  EXPECT_THAT(complaint("/t x f"), HasSubstr("no thread's id"));
  EXPECT_THAT(complaint("f k"), HasSubstr("between quotes"));
  EXPECT_THAT(complaint("f 0"), HasSubstr("no number of passes"));
  EXPECT_THAT(complaint("f 99999999999999999999"), HasSubstr("no number of passes"));
  EXPECT_THAT(complaint("f \"k"), HasSubstr("begin and end with a quote"));
  EXPECT_THAT(complaint("f 3 \"k\" x"), HasSubstr("begin and end with a quote"));
}

TEST(BreakpointDecision, IsFoundWhereOneSideOnlyGoesOn) {
  EXPECT_EQ(decision("j (@rdi == 0xa45c) 'k'; 'gc'"), "+");
  EXPECT_EQ(decision("j @rdi == 5 'gc' ; 'k; r'"), "-");
  EXPECT_EQ(decision(".if (@rdi == 0xa45c) { k } .else { gc }"), "+");
  EXPECT_EQ(decision(".if(@rdi == 0xa45c){gc;}.else{ .echo \"}\"; k }"), "-") << "a brace in quotes is none";
  EXPECT_EQ(decision("  .if (1) { j (2) 'k'; 'r' } .else { g }  "), "+");
}

TEST(BreakpointDecision, IsLeftToTheConsoleOtherwise) {
  EXPECT_EQ(decision("k; gc"), "");
  EXPECT_EQ(decision("jumble (1) 'k'; 'gc'"), "");
  EXPECT_EQ(decision("j (1) 'k'; 'r'"), "") << "it stops in any case";
  EXPECT_EQ(decision("j (1) 'gc'; 'gc'"), "");
  EXPECT_EQ(decision(".if (1) { k }"), "");
  EXPECT_EQ(decision(".if (1) { k } .elsif (2) { r } .else { gc }"), "");
  EXPECT_EQ(decision(".if (1) { k } .else { gc }; r"), "");
  EXPECT_EQ(decision(".if (1) { k .else { gc }"), "") << "a brace is missing";
}

TEST(BreakpointDecision, NeedsAnExpression) {
  EXPECT_EQ(decision("j (@rdi == ) 'k'; 'gc'"), "?");
  EXPECT_EQ(decision(".if (nobody!knows) { k } .else { gc }"), "?");
}

}  // namespace
}  // namespace culprit
