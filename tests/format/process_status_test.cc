#include "format/process_status.h"

#include <gtest/gtest.h>

namespace culprit {
namespace {

constexpr std::string_view status =
    "Name:\tvictim\n"
    "VmSize:\t    8192 kB\n"
    "VmHWM:\t    2048 kB\n"
    "VmRSS:\t    1024 kB\n"
    "VmSwap:\t       0 kB\n"
    "SigIgn:\t0000000000001000\n"
    "SigCgt:\t0000000180014a03\n";

TEST(SignalSets, AreTheMasksOfTheStatus) {
  auto sets = parse_signal_sets(status);
  ASSERT_TRUE(sets);
  EXPECT_EQ(sets->ignored, 0x1000u);
  EXPECT_EQ(sets->caught, 0x180014a03u);
}

TEST(SignalSets, AreNoneWhereALineIsMissing) {
  EXPECT_FALSE(parse_signal_sets("SigIgn:\t0000000000001000\n"));
  EXPECT_FALSE(parse_signal_sets("SigIgn:\tx\nSigCgt:\t0\n"));
}

TEST(MemoryUse, IsInBytes) {
  MemoryUse use = parse_memory_use(status);
  EXPECT_EQ(use.address_space, 8192u * 1024);
  EXPECT_EQ(use.most_resident, 2048u * 1024);
  EXPECT_EQ(use.resident, 1024u * 1024);
  EXPECT_EQ(use.swapped, 0u);
}

// Kernel threads have no memory of their own.
TEST(MemoryUse, IsUnknownWhereTheStatusDoesNotSay) {
  EXPECT_FALSE(parse_memory_use("Name:\tkworker/0:1\n").resident);
  EXPECT_FALSE(parse_memory_use("VmRSS:\t18446744073709551615 kB\n").resident);
}

TEST(Uptime, HasHundredthsOfSeconds) {
  EXPECT_DOUBLE_EQ(parse_uptime("40623.05 76543.21\n").value_or(0), 40623.05);
  EXPECT_DOUBLE_EQ(parse_uptime("0.99 0.00\n").value_or(0), 0.99);
  EXPECT_FALSE(parse_uptime("nan"));
  EXPECT_FALSE(parse_uptime(""));
}

}  // namespace
}  // namespace culprit
