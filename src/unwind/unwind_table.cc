#include "unwind/unwind_table.h"

#include <algorithm>
#include <unordered_map>

#include "format/eh_frame.h"

namespace culprit {

namespace {

using Kind = CfiRule::Kind;

constexpr uint64_t slot = 8;
constexpr uint64_t entry_bytes = 64;     // of the instructions a program begins with; ld.so calls constructors there
constexpr uint64_t most_slots = 0x1fff;  // what fits beside the kind

// DWARF expression opcodes that compilers and linkers put into call frame information on x86-64.
enum Opcode : uint8_t {
  deref = 0x06,
  op_and = 0x1a,
  plus = 0x22,
  shl = 0x24,
  ge = 0x2a,
  lit0 = 0x30,
  breg_rbp = 0x76,
  breg_rsp = 0x77,
  breg_rip = 0x80,
};

// The linker's expression for .plt: rsp + 8 + ((rip & 15) >= n) * 8. Its n; nothing: it is another expression.
std::optional<unsigned> plt_threshold(Bytes code) {
  constexpr uint8_t pattern[] = {breg_rsp, 8, breg_rip, 0, lit0 + 15, op_and, 0 /*n*/, ge, lit0 + 3, shl, plus};
  constexpr size_t threshold_position = 6;
  if (code.size() != std::size(pattern)) return {};
  for (size_t i = 0; i < code.size(); ++i)
    if (i != threshold_position && static_cast<uint8_t>(code[i]) != pattern[i]) return {};
  unsigned threshold = static_cast<unsigned>(code[threshold_position]) - lit0;
  if (threshold > 15) return {};
  return threshold;
}

// "breg_rbp n [deref]": GCC's way to find the CFA, and what it saved, in a function that realigned its stack.
std::optional<int64_t> rbp_offset(Bytes code, bool then_deref) {
  ByteReader reader(code);
  if (reader.take<uint8_t>() != breg_rbp) return {};
  int64_t offset = reader.take_sleb128();
  if (then_deref && reader.take<uint8_t>() != deref) return {};
  if (!reader || !reader.at_end()) return {};
  return offset;
}

class TableBuilder {
 public:
  UnwindTable build(const ElfFile& elf) {
    EhFrame frame = parse_eh_frame(find_eh_frame(elf));
    table_.bad_entries = frame.bad_entries + (frame.is_cut ? 1 : 0);
    auto key = [](const Fde& fde) { return std::pair(fde.start, fde.end); };
    if (!std::ranges::is_sorted(frame.fdes, {}, key)) std::ranges::stable_sort(frame.fdes, {}, key);
    for (const Fde& fde : frame.fdes) add(fde, frame.cies[fde.cie]);
    if (!table_.rows.empty()) append({.pc = end_, .cfa = CULPRIT_ROW_CFA(CULPRIT_ROW_NONE, 0), .rbp = 0});
    end_at_entry(elf.entry);
    return std::move(table_);
  }

 private:
  void add(const Fde& fde, const Cie& cie) {
    if (fde.end > UINT32_MAX || fde.start >= fde.end || fde.start < end_) {
      ++table_.skipped_functions;
      return;
    }
    if (!table_.rows.empty() && fde.start > end_) append({.pc = end_, .cfa = 0, .rbp = 0});
    ++table_.functions;
    table_.covered_bytes += fde.end - fde.start;
    if (!run_cfi(cie, fde, rows_)) ++table_.skipped_functions;
    for (size_t i = 0; i < rows_.size(); ++i) {
      culprit_unwind_row row = compress(rows_[i], cie);
      if (CULPRIT_ROW_KIND(row) == CULPRIT_ROW_NONE)
        table_.inexpressible_bytes += (i + 1 < rows_.size() ? rows_[i + 1].start : fde.end) - rows_[i].start;
      append(row);
    }
    end_ = static_cast<uint32_t>(fde.end);
  }

  // Where a program begins there is no caller. ld.so's first instructions have no rule that would say so.
  void end_at_entry(uint64_t entry) {
    const culprit_unwind_row* there = find_row(table_.rows, entry);
    if (there == nullptr || CULPRIT_ROW_KIND(*there) != CULPRIT_ROW_NONE) return;
    auto next = table_.rows.begin() + (there - table_.rows.data()) + 1;
    uint64_t end = std::min<uint64_t>(entry + entry_bytes, next->pc);
    std::vector<culprit_unwind_row> rows;
    if (there->pc < entry) rows.push_back(*there);
    rows.push_back({.pc = static_cast<uint32_t>(entry), .cfa = CULPRIT_ROW_CFA(CULPRIT_ROW_END, 0), .rbp = 0});
    if (end < next->pc) rows.push_back({.pc = static_cast<uint32_t>(end), .cfa = 0, .rbp = 0});
    next = table_.rows.erase(std::prev(next));
    table_.rows.insert(next, rows.begin(), rows.end());
  }

  // A row that says what the one before says is no row.
  void append(const culprit_unwind_row& row) {
    if (!table_.rows.empty() && table_.rows.back().cfa == row.cfa && table_.rows.back().rbp == row.rbp) return;
    table_.rows.push_back(row);
  }

  culprit_unwind_row compress(const CfiRow& row, const Cie& cie) {
    auto pc = static_cast<uint32_t>(row.start);
    // Whatever the rules of a signal trampoline say in expressions: the kernel's frame has one layout.
    if (cie.is_signal_frame) return {.pc = pc, .cfa = CULPRIT_ROW_CFA(CULPRIT_ROW_SIGNAL, 0), .rbp = 0};
    if (row.return_address.kind == Kind::undefined && cie.return_address_register == dwarf_return_address)
      return {.pc = pc, .cfa = CULPRIT_ROW_CFA(CULPRIT_ROW_END, 0), .rbp = 0};
    bool is_usual = row.return_address.kind == Kind::at_cfa && row.return_address.offset == -int64_t{slot};
    uint16_t cfa = is_usual ? compress_cfa(row.cfa) : 0;
    return {.pc = pc, .cfa = cfa, .rbp = cfa == 0 ? int16_t{0} : compress_rbp(row.rbp)};
  }

  uint16_t compress_cfa(const CfiRule& cfa) {
    if (cfa.kind == Kind::is_expression) {
      if (auto threshold = plt_threshold(cfa.expression)) return CULPRIT_ROW_CFA(CULPRIT_ROW_PLT, *threshold);
      auto offset = rbp_offset(cfa.expression, true);
      if (!offset || *offset > 0 || *offset % int64_t{slot} != 0 || *offset < -int64_t{most_slots * slot}) return 0;
      return CULPRIT_ROW_CFA(CULPRIT_ROW_RBP_DEREF, static_cast<uint64_t>(-*offset) / slot);
    }
    if (cfa.kind != Kind::in_register || cfa.offset < 0 || cfa.offset % int64_t{slot} != 0) return 0;
    uint64_t slots = static_cast<uint64_t>(cfa.offset) / slot;
    if (cfa.reg == dwarf_rsp && slots > most_slots) return compress_far(slots);
    if (slots > most_slots) return 0;
    if (cfa.reg == dwarf_rsp) return CULPRIT_ROW_CFA(CULPRIT_ROW_RSP, slots);
    if (cfa.reg == dwarf_rbp) return CULPRIT_ROW_CFA(CULPRIT_ROW_RBP, slots);
    return 0;
  }

  uint16_t compress_far(uint64_t slots) {
    if (slots > UINT32_MAX) return 0;
    auto [place, is_new] = far_index_.try_emplace(static_cast<uint32_t>(slots), table_.far.size());
    if (place->second > most_slots) return 0;
    if (is_new) table_.far.push_back(static_cast<uint32_t>(slots));
    return CULPRIT_ROW_CFA(CULPRIT_ROW_FAR, place->second);
  }

  static int16_t compress_rbp(const CfiRule& rbp) {
    if (rbp.kind == Kind::same) return 0;
    if (rbp.kind == Kind::at_expression && rbp_offset(rbp.expression, false) == 0) return CULPRIT_RBP_AT_RBP;
    int64_t slots = rbp.offset / int64_t{slot};
    bool fits = slots != 0 && slots > INT16_MIN && slots < INT16_MAX;
    if (rbp.kind == Kind::at_cfa && rbp.offset % int64_t{slot} == 0 && fits) return static_cast<int16_t>(slots);
    return CULPRIT_RBP_UNKNOWN;
  }

  UnwindTable table_;
  std::vector<CfiRow> rows_;  // of the function at hand; kept to reuse its memory
  uint32_t end_ = 0;          // of what is covered so far
  std::unordered_map<uint32_t, uint64_t> far_index_;
};

}  // namespace

UnwindTable build_unwind_table(const ElfFile& elf) { return TableBuilder().build(elf); }

Result<UnwindTable> build_unwind_table(Bytes elf_image) {
  auto elf = parse_elf(elf_image);
  if (!elf) return tl::unexpected<Error>(std::move(elf).error());
  if (elf->machine != elf::machine_x86_64)
    return fail(ErrorKind::unsupported, "unwind tables are built for x86-64 only", 18);
  return build_unwind_table(*elf);
}

const culprit_unwind_row* find_row(std::span<const culprit_unwind_row> rows, uint64_t pc) {
  auto after = std::upper_bound(rows.begin(), rows.end(), pc,
                                [](uint64_t wanted, const culprit_unwind_row& row) { return wanted < row.pc; });
  if (after == rows.begin() || after == rows.end()) return nullptr;
  return &*std::prev(after);
}

}  // namespace culprit
