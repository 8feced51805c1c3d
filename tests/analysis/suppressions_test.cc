#include "analysis/suppressions.h"

#include <gtest/gtest.h>

#include "analysis/blame.h"
#include "symbols/function_name.h"

namespace culprit {
namespace {

ReportStack stack_of(std::initializer_list<std::pair<const char*, const char*>> frames) {
  ReportStack stack;
  for (auto [function, module] : frames) {
    ReportFrame& frame = stack.frames.emplace_back();
    frame.function = function;
    frame.module = module;
    frame.file = function[0] ? "/src/server.cc" : "";
  }
  assign_blame(blame_rules(), stack);
  return stack;
}

bool suppressed(std::string_view text, const ReportStack& stack, std::string_view type = "socket") {
  auto parsed = parse_suppressions(text);
  EXPECT_TRUE(parsed) << (parsed ? "" : parsed.error().what);
  return parsed && parsed->find(type, stack).has_value();
}

uint64_t wrong_line(std::string_view text) {
  auto parsed = parse_suppressions(text);
  return parsed ? 0 : parsed.error().where.value_or(0);
}

const ReportStack connect = stack_of({{"socket", "/lib/libc.so.6"},
                                      {"net::Pool<int>::connect(char const*, int)", "/opt/app/libnet.so"},
                                      {"", "/opt/app/plugin.so"},
                                      {"main", "/opt/app/server"}});

TEST(Suppressions, MatchFromTheInnermostOrTheBlamedFrameOn) {
  EXPECT_TRUE(suppressed("[a]\nfun: socket\n", connect));
  EXPECT_TRUE(suppressed("[a]\nfun: net::Pool::connect", connect));
  EXPECT_FALSE(suppressed("[a]\nfun: main\n", connect));
  EXPECT_TRUE(suppressed("[a]\n...\nfun: main\n", connect));
}

TEST(Suppressions, GlobsMatchNamesWithAndWithoutParameters) {
  EXPECT_TRUE(suppressed("[a]\nfun: net::*::connect\n", connect));
  EXPECT_TRUE(suppressed("[a]\nfun: net::Pool<int>::connect(char*\n", connect));
  EXPECT_TRUE(suppressed("[a]\nfun: net::Pool::c?nnect\n", connect));
  EXPECT_FALSE(suppressed("[a]\nfun: Pool::connect\n", connect));
}

TEST(Suppressions, ConditionsOnOneFrameMustAllHold) {
  EXPECT_TRUE(suppressed("[a]\nfun: net::* & mod: libnet.so & file: server.cc\n", connect));
  EXPECT_FALSE(suppressed("[a]\nfun: net::* & mod: libother.so\n", connect));
  EXPECT_TRUE(suppressed("[a]\nmod: /opt/*\n", connect));
}

TEST(Suppressions, UnknownNamesMatchNothing) {
  EXPECT_FALSE(suppressed("[a]\nfun: net::*\nfun: *\n", connect));
  EXPECT_TRUE(suppressed("[a]\nfun: net::*\nmod: plugin.so\nfun: main\n", connect));
}

TEST(Suppressions, DotsStandForAnyNumberOfFrames) {
  EXPECT_TRUE(suppressed("[a]\nfun: socket\n...\nfun: main\n...\n", connect));
  EXPECT_FALSE(suppressed("[a]\nfun: socket\n...\nfun: main\nfun: main\n", connect));
}

TEST(Suppressions, ATypeAloneIsEnough) {
  EXPECT_TRUE(suppressed("# sockets\n\n[a]\ntype: sock*\n", connect));
  EXPECT_FALSE(suppressed("[a]\ntype: sock*\n", connect, "eventfd"));
}

TEST(Suppressions, ErrorsNameTheLine) {
  EXPECT_EQ(wrong_line("fun: x\n"), 1);
  EXPECT_EQ(wrong_line("# c\n[a\nfun: x\n"), 2);
  EXPECT_EQ(wrong_line("[]\n"), 1);
  EXPECT_EQ(wrong_line("[a]\nfun:\n"), 2);
  EXPECT_EQ(wrong_line("[a]\nfoo: x\n"), 2);
  EXPECT_EQ(wrong_line("[a]\nfun: x & fun: y\n"), 2);
  EXPECT_EQ(wrong_line("[a]\nfun: x\ntype: y\n"), 3);
  EXPECT_EQ(wrong_line("[a]\nfun: x\n[b]\n...\n"), 3) << "it would hide everything";
  EXPECT_EQ(wrong_line("\n\n[b]"), 3);
}

TEST(Suppressions, AnEmptyFileHasNone) {
  EXPECT_TRUE(parse_suppressions("")->entries.empty());
  EXPECT_TRUE(parse_suppressions("\r\n# only this")->entries.empty());
}

TEST(Blame, TheFirstFrameThatNoRulePassesOverIsToBlame) {
  EXPECT_EQ(connect.blamed, 1);
  EXPECT_EQ(connect.frames[0].skipped_by, "libc");
  EXPECT_TRUE(connect.frames[1].skipped_by.empty());
  EXPECT_FALSE(stack_of({{"socket", "/lib/libc.so.6"}, {"std::f()", "/opt/x"}}).blamed);
  EXPECT_FALSE(stack_of({}).blamed);
}

TEST(Blame, TheRuleWithTheLongestMatchIsNamed) {
  const BlameRule rules[] = {
      {"wide", "", "f*", "", ""}, {"narrow", "", "f_o*", "", ""}, {"both", "lib.so", "f_o*", "", ""}};
  ReportFrame frame;
  frame.function = "f_open(int)";
  EXPECT_EQ(skipping_rule(rules, frame)->name, "narrow");
  frame.module = "/x/lib.so";
  EXPECT_EQ(skipping_rule(rules, frame)->name, "both");
  frame.function = "g";
  EXPECT_EQ(skipping_rule(rules, frame), nullptr);
}

TEST(Blame, KnowsTheNameOfAFunctionWithoutItsTypes) {
  EXPECT_EQ(qualified_name("main"), "main");
  EXPECT_EQ(qualified_name("void ns::C<int, A<b>>::f<char>(int, std::string) const"), "ns::C::f");
  EXPECT_EQ(qualified_name("(anonymous namespace)::f(int)"), "(anonymous namespace)::f");
  EXPECT_EQ(qualified_name("A::operator()(int) const"), "A::operator()");
  EXPECT_EQ(qualified_name("bool operator<(A, A)"), "operator<");
  EXPECT_EQ(qualified_name("main::{lambda(int)#1}::operator()(int) const"), "main::{lambda(int)#1}::operator()");
  EXPECT_EQ(qualified_name("f(int) [.cold]"), "f");
  EXPECT_EQ(qualified_name("f<"), "f");
  EXPECT_EQ(qualified_name("f{"), "f{");
  EXPECT_EQ(qualified_name("<std::fs::File as std::io::Read>::read"), "<std::fs::File as std::io::Read>::read");
  EXPECT_EQ(qualified_name(""), "");
}

TEST(Blame, OwnIsWhatDoesNotComeWithTheSystem) {
  EXPECT_TRUE(is_own_module("/home/me/program"));
  EXPECT_TRUE(is_own_module("/opt/app/libnet.so.1"));
  EXPECT_TRUE(is_own_module("/usr/bin/server"));
  EXPECT_TRUE(is_own_module("/usr/lib/git-core/git"));
  EXPECT_FALSE(is_own_module("/usr/lib/x86_64-linux-gnu/libcurl.so.4"));
  EXPECT_FALSE(is_own_module("/lib/ld.so"));
  EXPECT_FALSE(is_own_module("[vdso]"));
  EXPECT_FALSE(is_own_module(""));
}

}  // namespace
}  // namespace culprit
