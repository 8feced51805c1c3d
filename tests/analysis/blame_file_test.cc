// The user's blame rules, and how rules of several strengths choose a frame.
#include "analysis/blame_file.h"

#include <gtest/gtest.h>

namespace culprit {
namespace {

std::string complaint(std::string_view text) {
  auto parsed = parse_blame_rules(text);
  return parsed ? "" : parsed.error().what;
}

TEST(BlameFile, HasRulesOfNamedConditions) {
  auto parsed = parse_blame_rules(
      "# ours\n\n[the host]\n mod: libhost*.so*|host \nfun: host::call*\nfile: */host/*\nowner: weak\nwhy: it only "
      "calls\n"
      "[main]\nfun: main\nowner: strong\n");
  ASSERT_TRUE(parsed);
  ASSERT_EQ(parsed->size(), 2u);
  EXPECT_EQ(parsed->at(0),
            (BlameFileRule{"the host", "libhost*.so*|host", "host::call*", "*/host/*", "it only calls", Owner::weak}));
  EXPECT_EQ(parsed->at(1), (BlameFileRule{"main", "", "main", "", "", Owner::strong}));
  EXPECT_TRUE(parse_blame_rules("# nothing\n")->empty());
}

TEST(BlameFile, IsRefusedWithTheLineThatIsWrong) {
  EXPECT_EQ(complaint("fun: f\n"), "line 1: a rule begins with its name in brackets: [name]");
  EXPECT_EQ(complaint("[]\n"), "line 1: a rule begins with its name in brackets: [name]");
  EXPECT_EQ(complaint("\n[a]\nowner: weak\n[b]\nfun: f\n"),
            "line 2: [a] has no mod:, fun: or file:, it would match every frame");
  EXPECT_EQ(complaint("[a]\nfun:\n"), "line 2: nothing after \"fun:\"");
  EXPECT_EQ(complaint("[a]\nfun: f\nfun: g\n"), "line 3: \"fun:\" twice in one rule");
  EXPECT_EQ(complaint("[a]\nfun: f\nowner: weak\nowner: weak\n"), "line 4: \"owner:\" twice in one rule");
  EXPECT_EQ(complaint("[a]\nfun: f\nowner: me\n"), "line 3: \"me\" is no owner: expected none, weak or strong");
  EXPECT_EQ(complaint("[a]\nfunction: f\n"),
            "line 2: \"function: f\" is not understood: expected [name], mod:, fun:, file:, owner: or why:");
}

ReportStack stack_of(const std::vector<std::string>& functions) {
  ReportStack stack;
  for (const std::string& function : functions) stack.frames.push_back({.function = function});
  return stack;
}

TEST(Blame, GoesToWeakOwnersOnlyWhereNobodyElseIs) {
  const BlameRule rules[] = {{"libc", "", "libc_*", "", ""}, {"loop", "", "loop_*", "", "", Owner::weak}};
  ReportStack stack = stack_of({"libc_read", "loop_poll", "loop_run", "server"});
  assign_blame(rules, stack);
  EXPECT_EQ(stack.blamed, 3u);
  EXPECT_EQ(stack.frames[1].skipped_by, "loop");
  stack = stack_of({"libc_read", "loop_poll", "loop_run", "libc_start"});
  assign_blame(rules, stack);
  EXPECT_EQ(stack.blamed, 1u);  // the innermost of them
  EXPECT_EQ(stack.frames[0].skipped_by, "libc");
  EXPECT_EQ(stack.frames[1].skipped_by, "");
  EXPECT_EQ(stack.frames[3].skipped_by, "");
}

TEST(Blame, GoesToStrongOwnersWhereTheirRuleIsTheMostParticular) {
  const BlameRule rules[] = {{"libc", "", "libc_*", "", ""}, {"reader", "", "libc_read", "", "", Owner::strong}};
  ReportStack stack = stack_of({"libc_poll", "libc_read", "server"});
  assign_blame(rules, stack);
  EXPECT_EQ(stack.blamed, 1u);
  EXPECT_EQ(skipping_rule(rules, stack.frames[1]), nullptr);
  EXPECT_EQ(rule_of(rules, stack.frames[1])->name, "reader");
}

}  // namespace
}  // namespace culprit
