// Stacks in the situations that are hard to unwind, against gdb's, frame by frame.
#include <gtest/gtest.h>

#include <map>
#include <sstream>

#include "support/run_culprit.h"

namespace culprit::test {
namespace {

struct Place {
  std::string module;
  uint64_t offset = 0;
  bool operator==(const Place&) const = default;
};
using Stack = std::vector<Place>;

void PrintTo(const Place& place, std::ostream* out) {
  *out << "\n" << place.module << "+0x" << std::hex << place.offset << std::dec;
}

// "stack 1003 /lib/libc.so.6+0x1234 …" by initial value of the event.
std::map<int, Stack> stacks_of_gdb(const std::string& text) {
  std::map<int, Stack> stacks;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("stack ")) continue;
    std::istringstream words(line.substr(6));
    int value = 0;
    words >> value;
    for (std::string word; words >> word;) {
      size_t plus = word.rfind("+0x");
      stacks[value].push_back({word.substr(0, plus), std::stoull(word.substr(plus + 3), nullptr, 16)});
    }
  }
  return stacks;
}

Stack stack_of_culprit(const Json& frames) {
  Stack stack;
  for (const Json& frame : frames) {
    if (!frame.at("inlined").get<bool>())
      stack.push_back({frame.at("module").get<std::string>(), frame.at("offset").get<uint64_t>()});
  }
  return stack;
}

class HardStacks : public ::testing::TestWithParam<const char*> {};

TEST_P(HardStacks, AreThoseOfTheDebuggerFrameByFrame) {
  std::string gdb = tool("gdb");
  if (gdb.empty()) GTEST_SKIP() << "gdb is not installed";
  Ran debugger = run({gdb, "-nx", "-batch", "-x", CULPRIT_GDB_SCRIPT, program(GetParam())});
  auto expected = stacks_of_gdb(debugger.out);
  ASSERT_GE(expected.size(), 17u) << debugger.out << debugger.err;

  Watched watched = watch({program(GetParam())});
  ASSERT_EQ(watched.ran.ending(), "exit 0") << watched.ran.err;
  auto open = left_open(watched.report, launched_pid(watched.report));
  std::istringstream lines(watched.ran.out);
  std::string word, name;
  int initial = 0, value = 0, cases = 0;
  while (lines >> word >> name >> initial >> value) {
    cases++;
    ASSERT_TRUE(open.contains(value)) << name;
    Stack seen = stack_of_culprit(creating_stack(watched.report, open[value]));
    Stack real = expected[initial];
    if (seen.empty() && back_end() == "bpf" && loss(watched.report, "stack_missing") > 0) continue;
    ASSERT_FALSE(seen.empty()) << name;
    // The agent's jump replaces a few bytes around the system call, so the innermost address may be a few bytes off.
    EXPECT_EQ(seen[0].module, real[0].module) << name;
    EXPECT_LE(std::max(seen[0].offset, real[0].offset) - std::min(seen[0].offset, real[0].offset), 16u) << name;
    seen[0] = real[0];
    // A program that starts under load may be ahead of its unwind tables: then its stack is copied, and may be cut
    // short.
    if (back_end() == "bpf" && loss(watched.report, "stack_truncated") > 0 && seen.size() < real.size())
      real.resize(seen.size());
    EXPECT_EQ(seen, real) << name;
  }
  EXPECT_EQ(cases, static_cast<int>(expected.size()));
}

INSTANTIATE_TEST_SUITE_P(Programs, HardStacks, ::testing::Values("hard_stacks", "hard_stacks_no_pie"),
                         [](const auto& info) { return std::string(info.param); });

TEST(SwitchedStacks, LeadToTheFunctionsThatRanOnThem) {
  Watched watched = watch({program("switched_stacks")});
  EXPECT_EQ(watched.ran.out, "switched\n");
  EXPECT_EQ(made_under(watched.report, "leak_on_fiber").outstanding, 30u);
  EXPECT_EQ(made_under(watched.report, "leak_in_coroutine").outstanding, 10u);
}

TEST(DeepTemplates, AreNamedAndUnwoundToTheEnd) {
  Watched watched = watch({program("deep_templates")});
  ASSERT_EQ(watched.ran.ending(), "exit 0");
  Json leaks = Json::array();
  for (const Json& group : watched.report.at("groups"))
    if (group.at("count") != 0) leaks.push_back(group);
  ASSERT_EQ(leaks.size(), 1u);
  EXPECT_EQ(leaks[0].at("count"), 25);
  size_t layers = 0;
  for (const Json& frame : leaks[0].at("stack"))
    layers += frame.at("function").get<std::string>().starts_with("deep::Layer<") ? 1 : 0;
  EXPECT_EQ(layers, 61u);
  EXPECT_FALSE(leaks[0].at("truncated").get<bool>());
}

}  // namespace
}  // namespace culprit::test
