#include "analysis/death_words.h"

#include <gtest/gtest.h>

namespace culprit {
namespace {

TEST(DeathWords, TellTheAddressOfAFault) {
  EXPECT_EQ(death_words({.pid = 17, .signal = 11, .signal_tid = 18, .fault_address = 0x1234, .signal_code = 1}),
            "ended by SIGSEGV at address 0x1234 in thread 18");
  EXPECT_EQ(death_words({.pid = 17, .signal = 11, .signal_tid = 18, .signal_code = 1}),
            "ended by SIGSEGV at address 0x0 in thread 18");
}

TEST(DeathWords, TellNoAddressWhereTheProcessorToldNone) {
  EXPECT_EQ(death_words({.pid = 17, .signal = 11, .signal_tid = 18, .signal_code = 0x80}),
            "ended by SIGSEGV in thread 18");
}

TEST(DeathWords, TellWhoSentTheSignalIfItWasAnother) {
  EXPECT_EQ(death_words({.pid = 17, .signal = 6, .signal_tid = 17, .signal_code = -6, .sender_pid = 17}),
            "ended by SIGABRT in thread 17");
  EXPECT_EQ(death_words({.pid = 17, .signal = 3, .signal_tid = 17, .sender_pid = 5, .sender_uid = 1000}),
            "ended by SIGQUIT from process 5 (user 1000) in thread 17");
}

TEST(DeathWords, SayNothingOfAProcessThatWasAlive) { EXPECT_EQ(death_words({.pid = 17}), ""); }

}  // namespace
}  // namespace culprit
