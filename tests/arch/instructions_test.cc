// Machine code as people read it.
#include "arch/instructions.h"

#include <gtest/gtest.h>

#include <array>

namespace culprit {
namespace {

template <typename... Byte>
std::array<std::byte, sizeof...(Byte)> code(Byte... bytes) {
  return {static_cast<std::byte>(bytes)...};
}

TEST(Disassembler, NamesTheTargetsOfCallsAndOfOperandsRelativeToRip) {
  auto disassembler = Disassembler::make();
  ASSERT_TRUE(disassembler);
  auto bytes = code(0x48, 0x8b, 0x05, 0x10, 0, 0, 0,  // mov rax, [rip + 0x10]
                    0xe8, 0x20, 0, 0, 0,              // call +0x20
                    0xc3);                            // ret
  auto texts = disassembler->as_text(bytes, 0x1000, 10);
  ASSERT_EQ(texts.size(), 3u);
  EXPECT_EQ(texts[0].operation, "mov");
  EXPECT_EQ(texts[0].operands, "rax, qword ptr [rip + 0x10]");
  EXPECT_EQ(texts[0].size, 7);
  EXPECT_EQ(texts[0].data_address, 0x1017u);
  EXPECT_EQ(texts[1].operation, "call");
  EXPECT_EQ(texts[1].target, 0x102cu);
  EXPECT_EQ(texts[2].address, 0x100cu);
  EXPECT_FALSE(texts[2].target);
  EXPECT_EQ(disassembler->as_text(bytes, 0x1000, 2).size(), 2u);
}

TEST(Disassembler, GoesOnBehindABytesThatIsNoInstruction) {
  auto disassembler = Disassembler::make();
  ASSERT_TRUE(disassembler);
  std::array<std::byte, 20> bytes;
  bytes.fill(std::byte{0x90});
  bytes[0] = std::byte{0x06};  // push es: not in 64-bit mode
  auto texts = disassembler->as_text(bytes, 0x1000, 3);
  ASSERT_EQ(texts.size(), 3u);
  EXPECT_EQ(texts[0].operation, "??");
  EXPECT_EQ(texts[0].size, 1);
  EXPECT_EQ(texts[1].operation, "nop");
  EXPECT_EQ(texts[1].address, 0x1001u);
}

TEST(Disassembler, EndsBeforeAnInstructionThatIsCutOff) {
  auto disassembler = Disassembler::make();
  ASSERT_TRUE(disassembler);
  auto bytes = code(0x90, 0x48, 0x8b, 0x05);
  EXPECT_EQ(disassembler->as_text(bytes, 0x1000, 10).size(), 1u);
  EXPECT_TRUE(disassembler->as_text({}, 0x1000, 10).empty());
}

}  // namespace
}  // namespace culprit
