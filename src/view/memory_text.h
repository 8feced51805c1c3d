// Memory, registers and machine code of a target as text, in the layouts that users of WinDbg can read at a glance.
#pragma once

#include <functional>
#include <span>
#include <string>

#include "analysis/memory_piece.h"
#include "arch/instructions.h"
#include "target/target.h"

namespace culprit {

// What lies at an address, in words: "libc!malloc+0x12"; empty: nothing known. Foreign text.
using AddressWords = std::function<std::string(uint64_t)>;

enum class DumpForm : uint8_t {
  bytes,           // and as characters
  words,           // 2 bytes
  dwords,          // 4
  dwords_as_text,  // and as characters
  qwords,          // 8
  text,            // up to a NUL
  utf16,           // up to a NUL
  pointers,        // 8, with what lies there
};
size_t item_size(DumpForm form);

// Bytes that are not there are question marks.
std::string memory_text(const MemoryPiece& piece, DumpForm form, const AddressWords& words);

// Not known: only rip and rsp are shown, and that it is so.
std::string registers_text(const Registers& registers, RegistersKnown known);

// `code` begins at the first instruction's address. A line for each symbol that begins, or within which it begins.
std::string code_text(std::span<const InstructionText> instructions, Bytes code, const AddressWords& words);

}  // namespace culprit
