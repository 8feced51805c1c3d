#include "capture/moved_entry.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "arch/instructions.h"

namespace culprit {

namespace {

constexpr size_t jump_size = 5;

// Puts the moved code together.
class Mover {
 public:
  Mover(Disassembler& disassembler, uint64_t place) : disassembler_(disassembler), place_(place) {}

  // False: it cannot be moved.
  bool move(Bytes code, uint64_t address) {
    bool has_returned = false;
    while (moved_.replaced < jump_size) {
      auto instruction = disassembler_.operands(code, address);
      if (!instruction) return false;
      const bool is_movable =
          has_returned ? is_padding(*instruction) : add(*instruction, code.first(instruction->text.size));
      if (!is_movable) return false;
      has_returned |= instruction->flow == Flow::back;
      moved_.replaced += instruction->text.size;
      address += instruction->text.size;
      code = code.subspan(instruction->text.size);
    }
    return has_returned || put_jump({0xe9}, address);
  }

  const MovedEntry& moved() const { return moved_; }

 private:
  // Between the end of a short function and the next one.
  static bool is_padding(const InstructionOperands& instruction) {
    return instruction.is_breakpoint || instruction.text.operation == "nop";
  }

  bool add(const InstructionOperands& instruction, Bytes bytes) {
    const InstructionText& text = instruction.text;
    if (instruction.is_breakpoint || instruction.is_undefined) return false;
    if (instruction.flow == Flow::jump) return text.target && add_jump(bytes, *text.target);
    if (instruction.flow == Flow::call) return false;
    const size_t at = used_;
    if (!put(bytes)) return false;
    return !text.data_address || bring_near(at, text, bytes);
  }

  bool add_jump(Bytes bytes, uint64_t target) {
    const auto first = static_cast<uint8_t>(bytes[0]);
    const auto second = bytes.size() > 1 ? static_cast<uint8_t>(bytes[1]) : uint8_t{0};
    if (first == 0xe9 || first == 0xeb) return put_jump({0xe9}, target);
    if (first >= 0x70 && first <= 0x7f) return put_jump({0x0f, static_cast<uint8_t>(0x80 | (first & 15))}, target);
    if (first == 0x0f && second >= 0x80 && second <= 0x8f) return put_jump({0x0f, second}, target);
    return false;  // loop, jrcxz, with a prefix …
  }

  bool put_jump(std::vector<uint8_t> opcode, uint64_t target) {
    const uint64_t end = place_ + used_ + opcode.size() + 4;
    const auto distance = static_cast<int64_t>(target - end);
    if (distance != static_cast<int32_t>(distance)) return false;
    const auto narrow = static_cast<int32_t>(distance);
    return put(std::as_bytes(std::span(opcode))) && put(std::as_bytes(std::span(&narrow, 1)));
  }

  // Corrects the distance from rip of the instruction that was put at `at`.
  bool bring_near(size_t at, const InstructionText& text, Bytes bytes) {
    const auto old_distance = static_cast<int32_t>(*text.data_address - (text.address + text.size));
    const auto distance = static_cast<int64_t>(*text.data_address - (place_ + at + text.size));
    if (distance != static_cast<int32_t>(distance)) return false;
    // The distance is the last thing in the instruction but for an immediate value.
    for (size_t offset = bytes.size() - 4; offset > 0; --offset) {
      if (std::memcmp(bytes.data() + offset, &old_distance, sizeof old_distance) != 0) continue;
      const auto narrow = static_cast<int32_t>(distance);
      std::memcpy(moved_.code.data() + at + offset, &narrow, sizeof narrow);
      return true;
    }
    return false;
  }

  bool put(Bytes bytes) {
    if (bytes.size() > moved_.code.size() - used_) return false;
    std::ranges::copy(bytes, moved_.code.begin() + static_cast<std::ptrdiff_t>(used_));
    used_ += bytes.size();
    return true;
  }

  Disassembler& disassembler_;
  uint64_t place_;
  MovedEntry moved_;
  size_t used_ = 0;
};

// Jumps with a 32-bit distance are looked for at every byte, as nobody knows where the other functions begin; short
// ones in what follows the entry.
bool is_entered(Disassembler& disassembler, Bytes code, uint64_t start, uint64_t entry, size_t length) {
  auto leads_inside = [&](uint64_t target) { return target > entry && target < entry + length; };
  for (size_t i = 0; i + jump_size <= code.size(); ++i) {
    const bool is_jump = code[i] == std::byte{0xe9} ||
                         (i > 0 && code[i - 1] == std::byte{0x0f} && (code[i] & std::byte{0xf0}) == std::byte{0x80});
    if (!is_jump) continue;
    const auto distance = ByteReader(code, i + 1).take<int32_t>();
    if (leads_inside(start + i + jump_size + static_cast<uint64_t>(int64_t{distance}))) return true;
  }
  std::vector<Instruction> instructions;
  disassembler.decode(code.subspan(entry - start), entry, instructions);
  return std::ranges::any_of(instructions,
                             [&](const Instruction& each) { return each.target && leads_inside(*each.target); });
}

}  // namespace

std::optional<MovedEntry> move_entry(Bytes code, uint64_t start, uint64_t entry, uint64_t place) {
  if (entry < start || entry - start >= code.size()) return {};
  auto disassembler = Disassembler::make();
  if (!disassembler) return {};
  Mover mover(*disassembler, place);
  if (!mover.move(code.subspan(entry - start), entry)) return {};
  if (is_entered(*disassembler, code, start, entry, mover.moved().replaced)) return {};
  return mover.moved();
}

}  // namespace culprit
