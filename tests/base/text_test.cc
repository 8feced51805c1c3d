#include "base/text.h"

#include <gtest/gtest.h>

#include <limits>

#include "base/utf8.h"

namespace culprit {
namespace {

TEST(Text, LeavesOrdinaryNamesAlone) {
  EXPECT_EQ(printable("/home/jürgen/日本語 file (1).txt"), "/home/jürgen/日本語 file (1).txt");
  EXPECT_EQ(printable(""), "");
}

TEST(Text, MakesWhatMovesTheCursorVisible) {
  EXPECT_EQ(printable("a\x1b[2Jb"), "a\\x1b[2Jb");
  EXPECT_EQ(printable("a\nb\tc\x7f"), "a\\x0ab\\x09c\\x7f");
  EXPECT_EQ(printable(std::string_view("a\0b", 3)), "a\\x00b");
  EXPECT_EQ(printable("\xc2\x9b"
                      "31m"),
            "\\u009b31m");                                    // C1: CSI in one character
  EXPECT_EQ(printable("x\u202egnp.exe"), "x\\u202egnp.exe");  // right-to-left override
  EXPECT_EQ(printable("\u2028\u200b\ufeff"), "\\u2028\\u200b\\ufeff");
  EXPECT_EQ(printable("\U000e0041"), "\\U000e0041");
}

TEST(Text, MakesBrokenUtf8Visible) {
  EXPECT_EQ(printable("\xff\xfe"), "\\xff\\xfe");
  EXPECT_EQ(printable("\xc0\xaf"), "\\xc0\\xaf");                    // overlong
  EXPECT_EQ(printable("\xed\xa0\x80"), "\\xed\\xa0\\x80");           // surrogate
  EXPECT_EQ(printable("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");  // above U+10FFFF
  EXPECT_EQ(printable("\xe6\x97"), "\\xe6\\x97");                    // cut off
  EXPECT_EQ(printable("\x80z"), "\\x80z");
}

TEST(Text, GroupsDigits) {
  EXPECT_EQ(with_thousands(0), "0");
  EXPECT_EQ(with_thousands(999), "999");
  EXPECT_EQ(with_thousands(1000), "1,000");
  EXPECT_EQ(with_thousands(1234567), "1,234,567");
  EXPECT_EQ(with_thousands(UINT64_MAX), "18,446,744,073,709,551,615");
}

TEST(Text, CountsThingsByTheirNouns) {
  EXPECT_EQ(counted(1, "leak"), "1 leak");
  EXPECT_EQ(counted(0, "leak"), "0 leaks");
  EXPECT_EQ(counted(3000, "process", "processes"), "3,000 processes");
}

TEST(Text, SaysDurationsInWords) {
  EXPECT_EQ(duration_in_words(0), "0 s");
  EXPECT_EQ(duration_in_words(45e-9), "45 ns");
  EXPECT_EQ(duration_in_words(0.25), "250 ms");
  EXPECT_EQ(duration_in_words(0.9999), "1.0 s");
  EXPECT_EQ(duration_in_words(3.21), "3.2 s");
  EXPECT_EQ(duration_in_words(45), "45 s");
  EXPECT_EQ(duration_in_words(720), "12 min");
  EXPECT_EQ(duration_in_words(4.2 * 3600), "about 4 h");
  EXPECT_EQ(duration_in_words(3 * 86400), "about 3 days");
  EXPECT_EQ(duration_in_words(1e18), "years");
  EXPECT_EQ(duration_in_words(std::numeric_limits<double>::infinity()), "years");
  EXPECT_EQ(duration_in_words(std::numeric_limits<double>::quiet_NaN()), "an unknown time");
}

TEST(Text, SaysSizesInWords) {
  EXPECT_EQ(bytes_in_words(0), "0 B");
  EXPECT_EQ(bytes_in_words(512), "512 B");
  EXPECT_EQ(bytes_in_words(1400000), "1.4 MB");
  EXPECT_EQ(bytes_in_words(999999), "1.0 MB");
  EXPECT_EQ(bytes_in_words(UINT64_MAX), "18.4 EB");
}

TEST(Text, KnowsHowWideATextIs) {
  EXPECT_EQ(display_width("abc"), 3u);
  EXPECT_EQ(display_width("jürgen"), 6u);
  EXPECT_EQ(display_width("日本"), 4u);
  EXPECT_EQ(display_width("e\u0301"), 1u);
  EXPECT_EQ(display_width("\xff"), 1u);
}

TEST(Text, ShortensInTheMiddleAndKeepsTheFileName) {
  EXPECT_EQ(shorten_middle("/short", 20), "/short");
  EXPECT_EQ(shorten_middle("/very/long/path/to/file.cc", 17), "/very/lo…/file.cc");
  EXPECT_EQ(shorten_middle("abcdefghij", 5), "ab…ij");
  EXPECT_EQ(shorten_middle("abcdefghij", 1), "…");
  EXPECT_EQ(shorten_middle("abcdefghij", 0), "");
  for (size_t columns = 0; columns < 40; ++columns) {
    EXPECT_LE(display_width(shorten_middle("/日本語/abc/日本語日本語/\xff\xfe/end", columns)), columns);
    EXPECT_LE(display_width(shorten_middle("no slash at all, only words", columns)), columns);
  }
}

TEST(Utf8, TakesOneCharacterAtATime) {
  Utf8Character euro = first_character("€x");
  EXPECT_EQ(euro.code, U'€');
  EXPECT_EQ(euro.size, 3u);
  EXPECT_TRUE(euro.is_valid);
  EXPECT_FALSE(first_character("\xe2\x82").is_valid);
  EXPECT_EQ(first_character("\xe2\x82").size, 1u);
}

}  // namespace
}  // namespace culprit
