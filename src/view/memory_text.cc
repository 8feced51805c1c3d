#include "view/memory_text.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"

namespace culprit {
namespace {

constexpr size_t row_size = 16;

char shown_character(const MemoryPiece& piece, size_t at) {
  if (!piece.is_known(at, 1)) return '?';
  auto c = static_cast<char>(piece.bytes[at]);
  return c >= ' ' && c <= '~' ? c : '.';
}

std::string characters(const MemoryPiece& piece, size_t from, size_t to) {
  std::string text;
  for (size_t at = from; at < to; ++at) text += shown_character(piece, at);
  return text;
}

std::string number_text(const MemoryPiece& piece, size_t at, size_t size) {
  if (!piece.is_known(at, size)) return std::string(size * 2, '?');
  return fmt::format("{:0{}x}", piece.number(at, size), size * 2);
}

std::string rows_of_numbers(const MemoryPiece& piece, size_t size, bool with_text) {
  std::string text;
  for (size_t row = 0; row < piece.bytes.size(); row += row_size) {
    size_t end = std::min(row + row_size, piece.bytes.size());
    std::string line = fmt::format("{:016x} ", piece.start + row);
    for (size_t at = row; at + size <= end; at += size) {
      bool is_middle = size == 1 && at == row + row_size / 2;
      line += fmt::format("{}{}", is_middle ? '-' : ' ', number_text(piece, at, size));
    }
    constexpr size_t before_text = 17;  // columns: the address and a blank
    size_t width = before_text + row_size / size * (size * 2 + 1);
    if (with_text) line = fmt::format("{:<{}}  {}", line, width, characters(piece, row, end));
    text += line + "\n";
  }
  return text;
}

std::string pointers(const MemoryPiece& piece, const AddressWords& words) {
  std::string text;
  for (size_t at = 0; at + 8 <= piece.bytes.size(); at += 8) {
    std::string what = piece.is_known(at, 8) ? printable(words(piece.number(at, 8))) : "";
    text +=
        fmt::format("{:016x}  {}{}{}\n", piece.start + at, number_text(piece, at, 8), what.empty() ? "" : " ", what);
  }
  return text;
}

void append_utf8(std::string& text, uint32_t point) {
  auto add = [&](uint32_t byte) { text += static_cast<char>(byte); };
  if (point < 0x80) return add(point);
  if (point < 0x800) return add(0xc0 | point >> 6), add(0x80 | (point & 63));
  if (point < 0x10000) return add(0xe0 | point >> 12), add(0x80 | (point >> 6 & 63)), add(0x80 | (point & 63));
  add(0xf0 | point >> 18), add(0x80 | (point >> 12 & 63)), add(0x80 | (point >> 6 & 63)), add(0x80 | (point & 63));
}

// Half of a pair alone is no character.
std::string from_utf16(const MemoryPiece& piece, size_t from, size_t to) {
  std::string text;
  for (size_t at = from; at + 2 <= to; at += 2) {
    auto unit = static_cast<uint32_t>(piece.number(at, 2));
    uint32_t next = at + 4 <= to ? static_cast<uint32_t>(piece.number(at + 2, 2)) : 0;
    if (unit >= 0xd800 && unit < 0xdc00 && next >= 0xdc00 && next < 0xe000) {
      append_utf8(text, 0x10000 + ((unit - 0xd800) << 10) + (next - 0xdc00));
      at += 2;
    } else {
      append_utf8(text, unit >= 0xd800 && unit < 0xe000 ? 0xfffd : unit);
    }
  }
  return text;
}

// Rows of a string up to its NUL, to memory that is not there, or to the piece's end.
std::string string_rows(const MemoryPiece& piece, size_t size) {
  constexpr size_t characters_in_row = 48;
  size_t end = 0;
  while (piece.is_known(end, size) && piece.number(end, size) != 0) end += size;
  std::string text;
  for (size_t row = 0; row < end || row == 0; row += characters_in_row * size) {
    size_t row_end = std::min(end, row + characters_in_row * size);
    std::string shown = size == 1 ? std::string(as_text(Bytes(piece.bytes).subspan(row, row_end - row)))
                                  : from_utf16(piece, row, row_end);
    if (!piece.is_known(row, size)) {
      text += fmt::format("{:016x}  ??\n", piece.start + row);
    } else {
      text += fmt::format("{:016x}  \"{}\"\n", piece.start + row, printable(shown));
    }
  }
  return text;
}

std::string flag_words(uint64_t eflags) {
  constexpr std::pair<int, std::string_view> flags[] = {{0, "cf"}, {2, "pf"}, {4, "af"},  {6, "zf"}, {7, "sf"},
                                                        {8, "tf"}, {9, "if"}, {10, "df"}, {11, "of"}};
  std::string words;
  for (auto [bit, name] : flags)
    if ((eflags >> bit & 1) != 0) words += fmt::format("{}{}", words.empty() ? "" : " ", name);
  return words;
}

}  // namespace

size_t item_size(DumpForm form) {
  switch (form) {
    case DumpForm::bytes:
    case DumpForm::text:
      return 1;
    case DumpForm::words:
    case DumpForm::utf16:
      return 2;
    case DumpForm::dwords:
    case DumpForm::dwords_as_text:
      return 4;
    case DumpForm::qwords:
    case DumpForm::pointers:
      break;
  }
  return 8;
}

std::string memory_text(const MemoryPiece& piece, DumpForm form, const AddressWords& words) {
  size_t size = item_size(form);
  if (form == DumpForm::pointers) return pointers(piece, words);
  if (form == DumpForm::text || form == DumpForm::utf16) return string_rows(piece, size);
  return rows_of_numbers(piece, size, form == DumpForm::bytes || form == DumpForm::dwords_as_text);
}

std::string registers_text(const Registers& r, RegistersKnown known) {
  if (known == RegistersKnown::none) return "its registers are not known\n";
  if (known == RegistersKnown::stack_only)
    return fmt::format("rip={:016x} rsp={:016x}\n(the other registers are not known)\n", r.rip, r.rsp);
  std::string text;
  text += fmt::format("rax={:016x} rbx={:016x} rcx={:016x}\n", r.rax, r.rbx, r.rcx);
  text += fmt::format("rdx={:016x} rsi={:016x} rdi={:016x}\n", r.rdx, r.rsi, r.rdi);
  text += fmt::format("rip={:016x} rsp={:016x} rbp={:016x}\n", r.rip, r.rsp, r.rbp);
  text += fmt::format(" r8={:016x}  r9={:016x} r10={:016x}\n", r.r8, r.r9, r.r10);
  text += fmt::format("r11={:016x} r12={:016x} r13={:016x}\n", r.r11, r.r12, r.r13);
  text += fmt::format("r14={:016x} r15={:016x} efl={:08x} {}\n", r.r14, r.r15, r.eflags, flag_words(r.eflags));
  text += fmt::format("cs={:04x} ss={:04x} ds={:04x} es={:04x} fs={:04x} gs={:04x} fs_base={:016x}\n", r.cs, r.ss, r.ds,
                      r.es, r.fs, r.gs, r.fs_base);
  return text;
}

std::string code_text(std::span<const InstructionText> instructions, Bytes code, const AddressWords& words) {
  std::string text;
  for (const InstructionText& instruction : instructions) {
    std::string here = printable(words(instruction.address));
    bool begins = !here.empty() && here.find("+0x") == here.npos;
    if (!here.empty() && (begins || &instruction == &instructions.front())) text += here + ":\n";
    std::string bytes;
    Bytes own = code.subspan(std::min(code.size(), instruction.address - instructions.front().address));
    for (std::byte byte : own.first(std::min<size_t>(own.size(), instruction.size)))
      bytes += fmt::format("{:02x}", static_cast<unsigned>(byte));
    std::string line =
        fmt::format("{:016x} {:<14} {:<7} {}", instruction.address, bytes, instruction.operation, instruction.operands);
    if (auto address = instruction.target ? instruction.target : instruction.data_address) {
      std::string there = printable(words(*address));
      line += fmt::format("  ; {}", there.empty() ? fmt::format("{:#x}", *address) : there);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

}  // namespace culprit
