#include "view/csv.h"

#include <gtest/gtest.h>

#include <cmath>

namespace culprit {
namespace {

TEST(Csv, QuotesWhatNeedsIt) {
  EXPECT_EQ(std::move(CsvRow().text("plain").text("a,b").text("say \"hi\"").number(uint64_t{7}).empty()).line(),
            "plain,\"a,b\",\"say \"\"hi\"\"\",7,\n");
}

TEST(Csv, MakesControlCharactersVisible) {
  EXPECT_EQ(std::move(CsvRow().text("two\nlines").text("\x1b[31m")).line(), "two\\x0alines,\\x1b[31m\n");
}

TEST(Csv, GivesSpreadsheetsNoFormulas) {
  EXPECT_EQ(std::move(CsvRow().text("=HYPERLINK(x)").text("@a").text("a=b")).line(), "'=HYPERLINK(x),'@a,a=b\n");
}

TEST(Csv, WritesNumbersThatAnyoneReads) {
  EXPECT_EQ(std::move(CsvRow().number(0.001).number(1e-9).number(std::nan("")).number(123456.75)).line(),
            "0.001,1e-09,,123456.75\n");
}

}  // namespace
}  // namespace culprit
