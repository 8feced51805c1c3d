// .eh_frame: call frame information as the System V psABI and LSB "Exception Frames" lay it down, DWARF 5 §6.4 for the
// instructions. Parsed for x86-64: only what a walk needs is followed, which is the CFA, rbp and the return address.
// Hostile input ends in a fault count, never in a crash: bounded reads, bounded rows, bounded remember stack.
#pragma once

#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "format/elf.h"

namespace culprit {

// Where the section lies; addresses are link-time, for the pc-relative encodings.
struct EhFrameSection {
  Bytes data;
  uint64_t address = 0;
  uint64_t data_base = 0;  // of DW_EH_PE_datarel: .eh_frame_hdr's (or .got's) address; 0: not known
  bool has_end = true;     // false: only its start is known, and the zero length that ends it ends the walk
};

// .eh_frame by section name, else through PT_GNU_EH_FRAME (then its end is not known).
EhFrameSection find_eh_frame(const ElfFile& elf);

// Registers by their DWARF numbers (x86-64 psABI, figure 3.36).
inline constexpr uint8_t dwarf_rbp = 6, dwarf_rsp = 7, dwarf_return_address = 16;

// How a value of the caller is found.
struct CfiRule {
  enum class Kind : uint8_t {
    same,           // unchanged (also: never mentioned)
    undefined,      // lost
    at_cfa,         // stored at CFA + offset
    cfa_plus,       // is CFA + offset
    in_register,    // is in register `reg` (+ offset: CFA rules only)
    at_expression,  // stored at the address that `expression` computes
    is_expression,  // is what `expression` computes
  };
  Kind kind = Kind::same;
  uint8_t reg = 0;
  int64_t offset = 0;
  Bytes expression;
};

// The rules that hold from `start` to the next row's start, or the FDE's end.
struct CfiRow {
  uint64_t start = 0;
  CfiRule cfa{.kind = CfiRule::Kind::undefined}, rbp, return_address;
};

struct Cie {
  uint64_t offset = 0;  // in the section
  uint64_t code_alignment = 1;
  int64_t data_alignment = 1;
  uint64_t return_address_register = 0;
  uint8_t pointer_encoding = 0;
  uint8_t handlers_encoding = 0xff;  // of Fde::handlers; 0xff: its FDEs have none
  bool has_augmentation_data = false;
  bool is_signal_frame = false;  // 'S': the return address is an exact pc, not one past a call
  bool is_usable = false;        // false: a version, augmentation or instruction unknown here; its FDEs have no rules
  CfiRow initial;                // the rules its instructions set for each of its FDEs
};

struct Fde {
  uint64_t start = 0, end = 0;  // link-time addresses
  uint32_t cie = 0;             // index into EhFrame::cies
  uint64_t handlers = 0;        // link-time address of its exception table (exception_table.h); 0: it has none
  uint64_t instructions_address = 0;
  Bytes instructions;
};

struct EhFrame {
  std::vector<Cie> cies;
  std::vector<Fde> fdes;     // in file order
  uint64_t bad_entries = 0;  // skipped: unreadable, or without a CIE
  bool is_cut = false;       // the walk over the section ended early: a length that runs past its end
};

EhFrame parse_eh_frame(const EhFrameSection& section);

// Sets cie.initial from a CIE's instructions, the first of which lies at `address`. False: they make no sense.
bool run_initial_instructions(Cie& cie, Bytes instructions, uint64_t address);

// Replaces `rows` by the FDE's rows, ascending, no two at one address. False: an instruction is unknown or makes no
// sense; the rows before it stand, the rest of the FDE has none (the last row's CFA is then `undefined`).
bool run_cfi(const Cie& cie, const Fde& fde, std::vector<CfiRow>& rows);

}  // namespace culprit
