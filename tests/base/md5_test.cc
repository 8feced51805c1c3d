#include "base/md5.h"

#include <gtest/gtest.h>

#include <string>

namespace culprit {
namespace {

std::string hex(std::string_view message) {
  constexpr char digits[] = "0123456789abcdef";
  std::string text;
  for (uint8_t byte : md5(as_bytes(message))) text += {digits[byte >> 4], digits[byte & 15]};
  return text;
}

// RFC 1321, A.5.
TEST(Md5, GivesTheDigestsOfItsStandard) {
  EXPECT_EQ(hex(""), "d41d8cd98f00b204e9800998ecf8427e");
  EXPECT_EQ(hex("abc"), "900150983cd24fb0d6963f7d28e17f72");
  EXPECT_EQ(hex("message digest"), "f96b697d7cb7938d525a2f31aaf161d0");
  EXPECT_EQ(hex("12345678901234567890123456789012345678901234567890123456789012345678901234567890"),
            "57edf4a22be3c955ac49da2e2107b67a");
}

}  // namespace
}  // namespace culprit
