#include "unwind/unwinder.h"

#include <array>
#include <cstddef>

#include "unwind/unwind_table.h"

namespace culprit {
namespace {

constexpr uint64_t believable_frame = 1 << 20;
// Offsets in struct ucontext of x86-64, at which rsp points in a signal trampoline.
constexpr uint64_t ucontext_rbp = 120, ucontext_rsp = 160, ucontext_rip = 168;
// glibc's clone() ends its unwind information before its syscall instruction: the child has no caller.
constexpr uint64_t syscall_and_one = 3;

class Walk {
 public:
  Walk(const UnwindRegisters& registers, MemoryReader& memory, const CodeLookup& code, const UnwindOptions& options)
      : memory_(memory), code_(code), options_(options), ip_(registers.ip), sp_(registers.sp), bp_(registers.bp) {
    if (!registers.is_bp_known) bp_from_ = BpFrom::unknown;
  }

  WalkedStack run() {
    FoundBy found_by = FoundBy::registers;
    for (;;) {
      if (stack_.frames.size() >= options_.limit) return cut();
      stack_.frames.push_back({ip_, found_by, sp_});
      switch (step(found_by == FoundBy::registers)) {
        case Step::ended:
          return std::move(stack_);
        case Step::impossible:
          return cut();
        case Step::by_table:
          found_by = FoundBy::unwind_table;
          break;
        case Step::by_pointer:
          found_by = FoundBy::frame_pointer;
          break;
        case Step::by_scan:
          found_by = FoundBy::scan;
          break;
        case Step::out_of_signal:
          found_by = FoundBy::registers;
          break;
      }
    }
  }

 private:
  enum class Step { by_table, by_pointer, by_scan, out_of_signal, ended, impossible };

  enum class BpFrom { start, unknown, slot, noted, nowhere };

  WalkedStack cut() {
    stack_.is_truncated = true;
    return std::move(stack_);
  }

  Step step(bool is_exact) {
    // A return address may lie just behind its function.
    uint64_t pc = is_exact ? ip_ : ip_ - 1;
    auto code = code_(pc);
    if (!code) return is_exact && returns_from_bad_jump() ? Step::by_scan : Step::impossible;
    const culprit_unwind_row* row = find_row(code->rows, pc - code->bias);
    bool is_first = stack_.frames.size() == 1;
    if ((row == nullptr || CULPRIT_ROW_KIND(*row) == CULPRIT_ROW_NONE) && is_first && options_.is_in_system_call)
      row = find_row(code->rows, pc - syscall_and_one - code->bias);
    if (row != nullptr && CULPRIT_ROW_KIND(*row) != CULPRIT_ROW_NONE) return by_row(*row, *code);
    // A module with a table was not compiled with frame pointers, just because one function of it has no rule.
    if (!code->rows.empty()) return Step::impossible;
    return is_first && called_without_frame() ? Step::by_scan : by_pointer();
  }

  Step by_row(const culprit_unwind_row& row, const UnwindCode& code) {
    switch (CULPRIT_ROW_KIND(row)) {
      case CULPRIT_ROW_END:
        return Step::ended;
      case CULPRIT_ROW_SIGNAL:
        return out_of_signal();
      default:
        break;
    }
    auto cfa = cfa_of(row, code);
    if (!cfa || *cfa <= sp_) return Step::impossible;  // stacks grow downwards, so callers lie higher
    auto caller = needed_word(*cfa - 8);
    if (!caller || !restore_bp(row, *cfa)) return Step::impossible;
    if (*caller == 0) return Step::ended;
    ip_ = *caller;
    sp_ = *cfa;
    return Step::by_table;
  }

  std::optional<uint64_t> cfa_of(const culprit_unwind_row& row, const UnwindCode& code) {
    uint64_t slots = CULPRIT_ROW_SLOTS(row);
    switch (CULPRIT_ROW_KIND(row)) {
      case CULPRIT_ROW_RSP:
        return sp_ + slots * 8;
      case CULPRIT_ROW_RBP:
        return need_bp() ? std::optional(bp_ + slots * 8) : std::nullopt;
      case CULPRIT_ROW_PLT:
        return sp_ + 8 + ((ip_ & 15) >= slots ? 8 : 0);
      case CULPRIT_ROW_RBP_DEREF:
        return need_bp() ? needed_word(bp_ - slots * 8) : std::nullopt;
      case CULPRIT_ROW_FAR:
        return slots < code.far.size() ? std::optional(sp_ + uint64_t{code.far[slots]} * 8) : std::nullopt;
      default:
        return std::nullopt;
    }
  }

  bool restore_bp(const culprit_unwind_row& row, uint64_t cfa) {
    if (row.rbp == 0) return true;
    if (row.rbp == CULPRIT_RBP_UNKNOWN) {
      bp_from_ = BpFrom::nowhere;
      return true;
    }
    if (row.rbp == CULPRIT_RBP_AT_RBP && !need_bp()) return false;
    return read_bp(row.rbp == CULPRIT_RBP_AT_RBP ? bp_ : cfa + static_cast<uint64_t>(int64_t{row.rbp} * 8));
  }

  bool read_bp(uint64_t address) {
    auto saved = memory_.word(address);
    if (!saved) return false;
    bp_ = *saved;
    bp_slot_ = address;
    bp_from_ = BpFrom::slot;
    return true;
  }

  // Mostly rbp holds something else, which nobody needs: only then does the walk depend on it.
  bool need_bp() {
    if (bp_from_ == BpFrom::start || bp_from_ == BpFrom::unknown) stack_.needs_bp = true;
    if (bp_from_ == BpFrom::unknown) return false;
    if (bp_from_ == BpFrom::slot) stack_.words.push_back({bp_slot_, bp_});
    if (bp_from_ != BpFrom::nowhere) bp_from_ = BpFrom::noted;
    return bp_from_ != BpFrom::nowhere;
  }

  std::optional<uint64_t> needed_word(uint64_t address) {
    auto value = memory_.word(address);
    if (value) stack_.words.push_back({address, *value});
    return value;
  }

  Step out_of_signal() {
    auto ip = needed_word(sp_ + ucontext_rip), sp = needed_word(sp_ + ucontext_rsp);
    if (!ip || !sp || !read_bp(sp_ + ucontext_rbp)) return Step::impossible;
    ip_ = *ip;
    sp_ = *sp;
    return Step::out_of_signal;
  }

  // Functions that only make a system call often have no frame: then the return address is on top of the stack, and the
  // frame pointer is their caller's. Taken for it if a call to about here stands before that address.
  bool called_without_frame() {
    constexpr uint64_t call_length = 5, believable_function = 4096;
    constexpr uint8_t call_opcode = 0xe8;
    auto caller = needed_word(sp_);
    if (!caller || *caller < call_length || !code_(*caller - 1)) return false;
    std::array<std::byte, call_length> call;
    if (!memory_.read(*caller - call_length, call) || std::to_integer<uint8_t>(call[0]) != call_opcode) return false;
    int32_t distance = 0;
    memcpy(&distance, &call[1], sizeof distance);
    uint64_t function = *caller + static_cast<uint64_t>(int64_t{distance});
    bool leads_here = function <= ip_ && ip_ - function < believable_function;
    bool is_inside = *caller > function && *caller <= ip_;
    if (!leads_here || is_inside) return false;
    ip_ = *caller;
    sp_ += 8;
    return true;
  }

  // A call to where no code is has left its return address on top of the stack before it failed. Any word may look
  // like one; here it must stand right behind a call.
  bool returns_from_bad_jump() {
    auto caller = needed_word(sp_);
    if (!caller || !stands_behind_call(*caller)) return false;
    ip_ = *caller;
    sp_ += 8;
    return true;
  }

  bool stands_behind_call(uint64_t address) {
    constexpr uint64_t longest = 7;
    if (address < longest || !code_(address - 1)) return false;
    std::array<uint8_t, longest> bytes;
    if (!memory_.read(address - longest, std::as_writable_bytes(std::span(bytes)))) return false;
    if (bytes[longest - 5] == 0xe8) return true;
    // ff /2: from a register or a word in memory, with or without a displacement and an index.
    for (size_t length = 2; length <= longest; ++length)
      if (bytes[longest - length] == 0xff && (bytes[longest - length + 1] >> 3 & 7) == 2) return true;
    return false;
  }

  Step by_pointer() {
    // Chains of frame pointers end with zero. One that has not been followed before may be anything.
    if (!need_bp()) return Step::impossible;
    if (bp_ == 0 && stack_.frames.back().found_by == FoundBy::frame_pointer) return Step::ended;
    if (bp_ < sp_ || bp_ - sp_ > believable_frame || bp_ % 8 != 0) return Step::impossible;
    auto caller = needed_word(bp_ + 8);
    if (!caller) return Step::impossible;
    if (*caller == 0) return Step::ended;
    if (!code_(*caller - 1)) return Step::impossible;  // not a return address: rbp held something else
    ip_ = *caller;
    sp_ = bp_ + 16;
    return read_bp(bp_) ? Step::by_pointer : Step::impossible;
  }

  MemoryReader& memory_;
  const CodeLookup& code_;
  const UnwindOptions& options_;
  uint64_t ip_, sp_, bp_;
  uint64_t bp_slot_ = 0;
  BpFrom bp_from_ = BpFrom::start;
  WalkedStack stack_;
};

}  // namespace

WalkedStack walk_stack(const UnwindRegisters& registers, MemoryReader& memory, const CodeLookup& code,
                       const UnwindOptions& options) {
  return Walk(registers, memory, code, options).run();
}

}  // namespace culprit
