// The instructions of call frame information (DWARF 5 §6.4.2; GNU ones as in binutils' dwarf2.def), run to rows.
#include <vector>

#include "format/eh_frame.h"
#include "format/eh_pointer.h"

namespace culprit {

namespace {

enum Instruction : uint8_t {  // DW_CFA_…; the first three carry an operand in their low six bits
  advance_loc = 0x40,
  offset = 0x80,
  restore = 0xc0,
  nop = 0x00,
  set_loc = 0x01,
  advance_loc1 = 0x02,
  advance_loc2 = 0x03,
  advance_loc4 = 0x04,
  offset_extended = 0x05,
  restore_extended = 0x06,
  undefined = 0x07,
  same_value = 0x08,
  in_register = 0x09,
  remember_state = 0x0a,
  restore_state = 0x0b,
  def_cfa = 0x0c,
  def_cfa_register = 0x0d,
  def_cfa_offset = 0x0e,
  def_cfa_expression = 0x0f,
  expression = 0x10,
  offset_extended_sf = 0x11,
  def_cfa_sf = 0x12,
  def_cfa_offset_sf = 0x13,
  val_offset = 0x14,
  val_offset_sf = 0x15,
  val_expression = 0x16,
  gnu_window_save = 0x2d,
  gnu_args_size = 0x2e,
  gnu_negative_offset_extended = 0x2f,
};

using Kind = CfiRule::Kind;

constexpr size_t deepest_nesting = 64;  // of remembered states; compilers nest one deep

class Machine {
 public:
  Machine(const Cie& cie, const CfiRow& state, Bytes instructions, uint64_t address)
      : cie_(cie), state_(state), reader_(instructions), address_(address) {}

  // Calls `row_ends(row)` with every row whose end is known. False: ended by nonsense.
  template <typename Function>
  bool run(uint64_t end, Function row_ends) {
    while (reader_ && !reader_.at_end()) {
      uint64_t before = state_.start;
      next_ = before;
      step(reader_.take<uint8_t>());
      if (!reader_ || next_ < before || next_ > end) return false;
      if (next_ == before) continue;
      row_ends(state_);
      state_.start = next_;
    }
    return bool{reader_};
  }
  CfiRow& state() { return state_; }

 private:
  // The rule of a register that is followed; a dummy for the others.
  CfiRule& rule_of(uint64_t reg) {
    if (reg == dwarf_rbp) return state_.rbp;
    if (reg == cie_.return_address_register) return state_.return_address;
    return ignored_;
  }
  void restore_rule(uint64_t reg) {
    if (reg == dwarf_rbp) state_.rbp = cie_.initial.rbp;
    if (reg == cie_.return_address_register) state_.return_address = cie_.initial.return_address;
  }
  void set(uint64_t reg, Kind kind, int64_t offset = 0) { rule_of(reg) = {.kind = kind, .offset = offset}; }
  void set_expression(uint64_t reg, Kind kind) {
    Bytes code = reader_.take_bytes(reader_.take_uleb128());
    rule_of(reg) = {.kind = kind, .expression = code};
  }
  void set_cfa(uint64_t reg, int64_t offset) {
    state_.cfa = {.kind = Kind::in_register, .reg = static_cast<uint8_t>(reg < 0xff ? reg : 0xff), .offset = offset};
  }
  // Only a CFA that is a register plus an offset can have one of the two replaced.
  void change_cfa(uint64_t reg, int64_t offset) {
    if (state_.cfa.kind != Kind::in_register) return reader_.fail();
    set_cfa(reg, offset);
  }
  // All factored operands wrap instead of overflowing: they are claims.
  int64_t factored(uint64_t operand) const {
    return static_cast<int64_t>(operand * static_cast<uint64_t>(cie_.data_alignment));
  }
  void advance(uint64_t delta) { next_ = state_.start + delta * cie_.code_alignment; }

  void remember() {
    if (remembered_.size() == deepest_nesting) return reader_.fail();
    remembered_.push_back(state_);
  }
  void recall() {
    if (remembered_.empty()) return reader_.fail();
    uint64_t start = state_.start;
    state_ = remembered_.back();
    remembered_.pop_back();
    state_.start = start;
  }

  void step(uint8_t code);
  void step_extended(uint8_t code);

  const Cie& cie_;
  CfiRow state_;
  ByteReader reader_;
  uint64_t address_;  // of the first instruction
  uint64_t next_ = 0;
  CfiRule ignored_;
  std::vector<CfiRow> remembered_;
};

void Machine::step(uint8_t code) {
  uint8_t operand = code & 0x3f;
  switch (code & 0xc0) {
    case advance_loc:
      return advance(operand);
    case offset:
      return set(operand, Kind::at_cfa, factored(reader_.take_uleb128()));
    case restore:
      return restore_rule(operand);
    default:
      return step_extended(code);
  }
}

void Machine::step_extended(uint8_t code) {
  auto unsigned_operand = [&] { return reader_.take_uleb128(); };
  auto signed_operand = [&] { return static_cast<uint64_t>(reader_.take_sleb128()); };
  uint64_t reg = 0;
  switch (code) {
    case nop:
    case gnu_window_save:
      return;
    case set_loc:
      next_ = take_pointer(reader_, cie_.pointer_encoding, {.section = address_}).value_or(0);
      return;
    case advance_loc1:
      return advance(reader_.take<uint8_t>());
    case advance_loc2:
      return advance(reader_.take<uint16_t>());
    case advance_loc4:
      return advance(reader_.take<uint32_t>());
    case offset_extended:
      reg = unsigned_operand();
      return set(reg, Kind::at_cfa, factored(unsigned_operand()));
    case offset_extended_sf:
      reg = unsigned_operand();
      return set(reg, Kind::at_cfa, factored(signed_operand()));
    case gnu_negative_offset_extended:
      reg = unsigned_operand();
      return set(reg, Kind::at_cfa, factored(0 - unsigned_operand()));
    case val_offset:
      reg = unsigned_operand();
      return set(reg, Kind::cfa_plus, factored(unsigned_operand()));
    case val_offset_sf:
      reg = unsigned_operand();
      return set(reg, Kind::cfa_plus, factored(signed_operand()));
    case restore_extended:
      return restore_rule(unsigned_operand());
    case undefined:
      return set(unsigned_operand(), Kind::undefined);
    case same_value:
      return set(unsigned_operand(), Kind::same);
    case in_register:
      reg = unsigned_operand();
      unsigned_operand();  // which one it is does not matter: only the CFA, rbp and the return address are followed
      return set(reg, Kind::in_register);
    case expression:
      return set_expression(unsigned_operand(), Kind::at_expression);
    case val_expression:
      return set_expression(unsigned_operand(), Kind::is_expression);
    case remember_state:
      return remember();
    case restore_state:
      return recall();
    case def_cfa:
      reg = unsigned_operand();
      return set_cfa(reg, static_cast<int64_t>(unsigned_operand()));
    case def_cfa_sf:
      reg = unsigned_operand();
      return set_cfa(reg, factored(signed_operand()));
    case def_cfa_register:
      return change_cfa(unsigned_operand(), state_.cfa.offset);
    case def_cfa_offset:
      return change_cfa(state_.cfa.reg, static_cast<int64_t>(unsigned_operand()));
    case def_cfa_offset_sf:
      return change_cfa(state_.cfa.reg, factored(signed_operand()));
    case def_cfa_expression:
      state_.cfa = {.kind = Kind::is_expression, .expression = reader_.take_bytes(unsigned_operand())};
      return;
    case gnu_args_size:
      unsigned_operand();
      return;
    default:
      return reader_.fail();
  }
}

}  // namespace

bool run_initial_instructions(Cie& cie, Bytes instructions, uint64_t address) {
  Machine machine(cie, {}, instructions, address);
  if (!machine.run(0, [](const CfiRow&) {})) return false;  // no advance is allowed: the end is where it starts
  cie.initial = machine.state();
  return true;
}

bool run_cfi(const Cie& cie, const Fde& fde, std::vector<CfiRow>& rows) {
  rows.clear();
  CfiRow first = cie.initial;
  first.start = fde.start;
  Machine machine(cie, first, cie.is_usable ? fde.instructions : Bytes{}, fde.instructions_address);
  bool is_whole = cie.is_usable && machine.run(fde.end, [&](const CfiRow& row) { rows.push_back(row); });
  CfiRow& last = machine.state();
  if (!is_whole) last = {.start = last.start};
  if (last.start < fde.end) rows.push_back(last);
  return is_whole;
}

}  // namespace culprit
