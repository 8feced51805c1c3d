#include "analysis/handle_columns.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace culprit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(HandleColumns, StandInAnyOrder) {
  EXPECT_THAT(*parse_columns("stack,type"), ElementsAre(HandleColumn::stack, HandleColumn::type));
  EXPECT_EQ(*parse_columns("default"), *parse_columns("closing,owning,type,creating,stack"));
  EXPECT_THAT(*parse_columns("process"), ElementsAre(HandleColumn::owning));
}

TEST(HandleColumns, HaveAllTheirNames) {
  for (size_t i = 0; i < handle_column_count; ++i) {
    const auto column = static_cast<HandleColumn>(i);
    EXPECT_THAT(*parse_columns(name_of(column)), ElementsAre(column));
  }
}

TEST(HandleColumns, ThatAreNoneAreRefusedWithTheListOfThoseThereAre) {
  EXPECT_THAT(parse_columns("stack,colour").error().what,
              HasSubstr("'colour', only by closing, owning, program, type"));
  EXPECT_FALSE(parse_columns(""));
  EXPECT_FALSE(parse_columns("stack,"));
  EXPECT_THAT(parse_columns("type,stack,type").error().what, HasSubstr("'type' stands twice"));
  EXPECT_FALSE(parse_columns("owning,process"));
}

}  // namespace
}  // namespace culprit
