#include "symbols/demangle.h"

#include <gtest/gtest.h>

namespace culprit {
namespace {

TEST(Demangle, ReadsCxxNames) {
  EXPECT_EQ(demangle("_ZN3app4fun4IiEEvT_"), "void app::fun4<int>(int)");
  EXPECT_EQ(demangle("_ZNSt6vectorIiSaIiEE9push_backERKi"),
            "std::vector<int, std::allocator<int>>::push_back(int const&)");
}

TEST(Demangle, ReadsRustNames) { EXPECT_EQ(demangle("_RNvCskwGfYPst2Cb_3foo3bar"), "foo::bar"); }

TEST(Demangle, LeavesOtherNamesAlone) {
  for (const char* name : {"main", "", "_Z", "i", "fopen", "_Zoo!", "?foo@@YAXXZ"}) EXPECT_EQ(demangle(name), name);
}

TEST(Demangle, KeepsTheSuffixOfAClone) { EXPECT_EQ(demangle("_Z4workv.cold"), "work() (.cold)"); }

TEST(Demangle, GivesBackNamesTooDeepToReadSafely) {
  std::string deep = "_Z1f" + std::string(1'000'000, 'P') + "i";
  EXPECT_EQ(demangle(deep), deep);
}

// Each level names the one before twice: 60 levels would print 2^60 characters.
TEST(Demangle, GivesBackNamesThatWouldExplode) {
  std::string bomb = "_Z1f1aIiiE";
  std::string previous = "S_";
  for (int level = 0; level < 60; ++level) {
    bomb += "S_I" + previous + previous + "E";
    previous =
        level == 0 ? "S1_" : "S" + std::string(1, static_cast<char>(level < 10 ? '0' + level : 'A' + level - 10)) + "_";
  }
  EXPECT_LT(demangle(bomb).size(), size_t{64} << 20);
}

}  // namespace
}  // namespace culprit
