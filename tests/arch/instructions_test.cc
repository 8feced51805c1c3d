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

class Operands : public ::testing::Test {
 protected:
  std::optional<InstructionOperands> of(std::initializer_list<int> bytes) {
    std::vector<std::byte> code;
    for (int byte : bytes) code.push_back(static_cast<std::byte>(byte));
    auto disassembler = Disassembler::make();
    return disassembler ? disassembler->operands(code, 0x1000) : std::nullopt;
  }
};

TEST_F(Operands, TellWhatIsWrittenAndWhere) {
  auto mov = of({0x48, 0xc7, 0x46, 0x18, 5, 0, 0, 0});  // mov qword ptr [rsi + 0x18], 5
  ASSERT_TRUE(mov);
  ASSERT_EQ(mov->memory.size(), 1u);
  const MemoryOperand& operand = mov->memory[0];
  EXPECT_EQ(operand.text, "[rsi + 0x18]");
  EXPECT_TRUE(operand.writes);
  EXPECT_FALSE(operand.reads);
  EXPECT_EQ(operand.size, 8);
  EXPECT_EQ(register_name(*operand.base), "rsi");
  Registers registers;
  registers.rsi = 0x100;
  EXPECT_EQ(operand.address(registers), 0x118u);
}

TEST_F(Operands, AreReadOrWrittenAsTheProcessorDoesIt) {
  struct Row {
    const char* text;
    std::initializer_list<int> bytes;
    bool reads, writes;
  };
  for (const Row& row : {Row{"movups xmmword ptr [rdi], xmm0", {0x0f, 0x11, 0x07}, false, true},
                         {"movups xmm0, xmmword ptr [rdi]", {0x0f, 0x10, 0x07}, true, false},
                         {"vmovdqu64 zmmword ptr [rdi], zmm16", {0x62, 0xe1, 0xfe, 0x48, 0x7f, 0x07}, false, true},
                         {"movnti dword ptr [rdi], eax", {0x0f, 0xc3, 0x07}, false, true},
                         {"fstp qword ptr [rdi]", {0xdd, 0x1f}, false, true},
                         {"fld qword ptr [rdi]", {0xdd, 0x07}, true, false},
                         {"test byte ptr [rdi + 9], 1", {0xf6, 0x47, 0x09, 0x01}, true, false},
                         {"cmp dword ptr [rdi], 1", {0x83, 0x3f, 0x01}, true, false},
                         {"add dword ptr [rdi], 1", {0x83, 0x07, 0x01}, true, true},
                         {"cmpxchg qword ptr [rdi], rsi", {0xf0, 0x48, 0x0f, 0xb1, 0x37}, true, true},
                         {"push qword ptr [rdi]", {0xff, 0x37}, true, false}}) {
    auto found = of(row.bytes);
    ASSERT_TRUE(found && !found->memory.empty()) << row.text;
    EXPECT_EQ(found->memory[0].reads, row.reads) << row.text;
    EXPECT_EQ(found->memory[0].writes, row.writes) << row.text;
  }
}

TEST_F(Operands, IncludeTheStackThatCallsAndReturnsUse) {
  auto call = of({0xff, 0xd0});  // call rax
  ASSERT_TRUE(call);
  EXPECT_EQ(call->flow, Flow::call);
  EXPECT_EQ(call->flow_register, 0);
  ASSERT_EQ(call->memory.size(), 1u);
  EXPECT_TRUE(call->memory[0].writes);
  Registers registers;
  registers.rsp = 0x2000;
  EXPECT_EQ(call->memory[0].address(registers), 0x1ff8u);
  auto ret = of({0xc3});
  ASSERT_TRUE(ret);
  EXPECT_EQ(ret->flow, Flow::back);
  EXPECT_EQ(ret->memory.at(0).address(registers), 0x2000u);
}

TEST_F(Operands, OfAddressesThatAreOnlyComputedAreNone) {
  auto lea = of({0x48, 0x8d, 0x46, 0x18});  // lea rax, [rsi + 0x18]
  ASSERT_TRUE(lea);
  EXPECT_TRUE(lea->memory.empty());
}

TEST_F(Operands, WithSegmentsAndIndexesAreComputed) {
  auto mov = of({0x64, 0x48, 0x8b, 0x04, 0xcb});  // mov rax, fs:[rbx + rcx*8]
  ASSERT_TRUE(mov);
  Registers registers;
  registers.rbx = 0x10;
  registers.rcx = 2;
  registers.fs_base = 0x7000;
  EXPECT_EQ(mov->memory.at(0).address(registers), 0x7020u);
}

TEST_F(Operands, OfDivisionsNameTheDivisor) {
  auto idiv = of({0x48, 0xf7, 0xf9});  // idiv rcx
  ASSERT_TRUE(idiv);
  EXPECT_TRUE(idiv->is_division);
  EXPECT_EQ(idiv->divisor, 1);
  EXPECT_EQ(idiv->operand_size, 8);
}

TEST_F(Operands, KnowTrapsBreakpointsAndBytesThatAreNone) {
  EXPECT_TRUE(of({0x0f, 0x0b})->is_undefined);
  EXPECT_TRUE(of({0xcc})->is_breakpoint);
  EXPECT_FALSE(of({0x06, 0x90}));
}

}  // namespace
}  // namespace culprit
