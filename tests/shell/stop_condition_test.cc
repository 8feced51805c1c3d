#include "shell/stop_condition.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace culprit {
namespace {

using ::testing::HasSubstr;

StopFacts some_facts() {
  return {.events = 1000, .size = 5 << 20, .handles = [](std::string_view whose) -> uint64_t {
            return whose == "server" ? 5001 : whose == "all" ? 9000 : whose == "my app" ? 3 : 0;
          }};
}
bool holds(std::string_view text) {
  auto condition = StopCondition::parse(text);
  EXPECT_TRUE(condition) << text << ": " << condition.error().what;
  return condition && condition->holds(some_facts());
}
std::string refused(std::string_view text) {
  auto condition = StopCondition::parse(text);
  EXPECT_FALSE(condition) << text;
  return condition ? "" : condition.error().what;
}

TEST(StopCondition, ComparesWhatIsAskedFor) {
  EXPECT_TRUE(holds("handles(server) > 5000"));
  EXPECT_FALSE(holds("handles(server) > 5001"));
  EXPECT_TRUE(holds("handles(all)>=9000"));
  EXPECT_TRUE(holds("handles(my app)==3"));
  EXPECT_TRUE(holds("events != 999"));
  EXPECT_TRUE(holds("size <= 5M"));
  EXPECT_FALSE(holds("size < 5M"));
  EXPECT_TRUE(holds("events > 0"));
}

TEST(StopCondition, JoinsAndBeforeOr) {
  EXPECT_TRUE(holds("events > 0 or events > 2000 and size > 1G"));
  EXPECT_FALSE(holds("(events > 0 or events > 2000) and size > 1G"));
  EXPECT_TRUE(holds("((events > 2000)) or (size > 1k and handles(server) > 1)"));
}

TEST(StopCondition, SaysWhereItIsWrong) {
  EXPECT_EQ(refused("handles(server) > many"),
            "the condition to stop has 'many' where a whole number should be (at offset 18)");
  EXPECT_EQ(refused("events 5"), "the condition to stop has '5' where one of > >= < <= == != should be (at offset 7)");
  EXPECT_THAT(refused(""), HasSubstr("has the end where handles(NAME), events or size should be"));
  EXPECT_THAT(refused("size > 5"), HasSubstr("a size such as 2G"));
  EXPECT_THAT(refused("events > 5 events"), HasSubstr("'and', 'or' or the end"));
  EXPECT_THAT(refused("handles(server > 5"), HasSubstr("and ')'"));
  EXPECT_THAT(refused("(events > 5"), HasSubstr("a closing parenthesis"));
  EXPECT_THAT(refused(std::string(100, '(') + "events > 5"), HasSubstr("too many parentheses"));
  EXPECT_THAT(refused(std::string(10'000, ' ')), HasSubstr("too long"));
}

}  // namespace
}  // namespace culprit
