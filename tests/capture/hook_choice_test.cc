#include "capture/hook_choice.h"

#include <gtest/gtest.h>

#include <string>

namespace culprit {
namespace {

std::string call_of(uint8_t number, uint8_t high = 0) {
  return {'\xb8', static_cast<char>(number), static_cast<char>(high), 0, 0, '\x0f', '\x05'};
}

TEST(HookChoice, TakesALibcWhoseCallsStandAsTheAgentPatchesThem) { EXPECT_TRUE(own_libc_looks_patchable()); }

TEST(HookChoice, RefusesALibcInWhichOneOfTheEssentialCallsLooksOtherwise) {
  std::string image(1000, '\x90');
  image += call_of(1, 1) + call_of(3) + call_of(41) + call_of(33) + call_of(37, 1) + call_of(59);
  EXPECT_TRUE(looks_patchable(as_bytes(image)));
  image.replace(image.find(call_of(3)), 7, "\x31\xc0\xb0\x03\x0f\x05\x90");
  EXPECT_FALSE(looks_patchable(as_bytes(image)));
  EXPECT_FALSE(looks_patchable({}));
}

}  // namespace
}  // namespace culprit
