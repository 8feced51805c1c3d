// The names of x86-64's registers and of their parts.
#include <algorithm>
#include <array>
#include <string>

#include "shell/expression.h"

namespace culprit {
namespace {

// Registers by their place in struct Registers.
enum Place : uint8_t {
  at_r15,
  at_r14,
  at_r13,
  at_r12,
  at_rbp,
  at_rbx,
  at_r11,
  at_r10,
  at_r9,
  at_r8,
  at_rax,
  at_rcx,
  at_rdx,
  at_rsi,
  at_rdi,
  at_orig_rax,
  at_rip,
  at_cs,
  at_eflags,
  at_rsp,
  at_ss,
  at_fs_base,
  at_gs_base,
  at_ds,
  at_es,
  at_fs,
  at_gs
};

struct RegisterName {
  std::string_view name;
  Place place;
  uint8_t first = 0, count = 64;  // bits
};

constexpr RegisterName register_names[] = {
    {"rax", at_rax},
    {"eax", at_rax, 0, 32},
    {"ax", at_rax, 0, 16},
    {"al", at_rax, 0, 8},
    {"ah", at_rax, 8, 8},
    {"rbx", at_rbx},
    {"ebx", at_rbx, 0, 32},
    {"bx", at_rbx, 0, 16},
    {"bl", at_rbx, 0, 8},
    {"bh", at_rbx, 8, 8},
    {"rcx", at_rcx},
    {"ecx", at_rcx, 0, 32},
    {"cx", at_rcx, 0, 16},
    {"cl", at_rcx, 0, 8},
    {"ch", at_rcx, 8, 8},
    {"rdx", at_rdx},
    {"edx", at_rdx, 0, 32},
    {"dx", at_rdx, 0, 16},
    {"dl", at_rdx, 0, 8},
    {"dh", at_rdx, 8, 8},
    {"rsi", at_rsi},
    {"esi", at_rsi, 0, 32},
    {"si", at_rsi, 0, 16},
    {"sil", at_rsi, 0, 8},
    {"rdi", at_rdi},
    {"edi", at_rdi, 0, 32},
    {"di", at_rdi, 0, 16},
    {"dil", at_rdi, 0, 8},
    {"rbp", at_rbp},
    {"ebp", at_rbp, 0, 32},
    {"bp", at_rbp, 0, 16},
    {"bpl", at_rbp, 0, 8},
    {"rsp", at_rsp},
    {"esp", at_rsp, 0, 32},
    {"sp", at_rsp, 0, 16},
    {"spl", at_rsp, 0, 8},
    {"rip", at_rip},
    {"eip", at_rip, 0, 32},
    {"ip", at_rip, 0, 16},
    {"r8", at_r8},
    {"r8d", at_r8, 0, 32},
    {"r8w", at_r8, 0, 16},
    {"r8b", at_r8, 0, 8},
    {"r9", at_r9},
    {"r9d", at_r9, 0, 32},
    {"r9w", at_r9, 0, 16},
    {"r9b", at_r9, 0, 8},
    {"r10", at_r10},
    {"r10d", at_r10, 0, 32},
    {"r10w", at_r10, 0, 16},
    {"r10b", at_r10, 0, 8},
    {"r11", at_r11},
    {"r11d", at_r11, 0, 32},
    {"r11w", at_r11, 0, 16},
    {"r11b", at_r11, 0, 8},
    {"r12", at_r12},
    {"r12d", at_r12, 0, 32},
    {"r12w", at_r12, 0, 16},
    {"r12b", at_r12, 0, 8},
    {"r13", at_r13},
    {"r13d", at_r13, 0, 32},
    {"r13w", at_r13, 0, 16},
    {"r13b", at_r13, 0, 8},
    {"r14", at_r14},
    {"r14d", at_r14, 0, 32},
    {"r14w", at_r14, 0, 16},
    {"r14b", at_r14, 0, 8},
    {"r15", at_r15},
    {"r15d", at_r15, 0, 32},
    {"r15w", at_r15, 0, 16},
    {"r15b", at_r15, 0, 8},
    {"efl", at_eflags},
    {"eflags", at_eflags},
    {"cs", at_cs},
    {"ds", at_ds},
    {"es", at_es},
    {"fs", at_fs},
    {"gs", at_gs},
    {"ss", at_ss},
    {"fs_base", at_fs_base},
    {"gs_base", at_gs_base},
    {"orig_rax", at_orig_rax},
    {"cf", at_eflags, 0, 1},
    {"pf", at_eflags, 2, 1},
    {"af", at_eflags, 4, 1},
    {"zf", at_eflags, 6, 1},
    {"sf", at_eflags, 7, 1},
    {"tf", at_eflags, 8, 1},
    {"if", at_eflags, 9, 1},
    {"df", at_eflags, 10, 1},
    {"of", at_eflags, 11, 1},
    {"$ip", at_rip},
    {"$csp", at_rsp},
    {"$sp", at_rsp},
    {"$retreg", at_rax},
};

}  // namespace

std::optional<ExpressionStep> register_step(std::string_view name) {
  std::string lower(name);
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
  if (lower == "$tid") return ExpressionStep{ExpressionOp::thread_id};
  if (lower == "$tpid") return ExpressionStep{ExpressionOp::process_id};
  auto found = std::ranges::find(register_names, lower, &RegisterName::name);
  if (found == std::end(register_names)) return {};
  return ExpressionStep{ExpressionOp::register_value, register_part(found->place, found->first, found->count)};
}

}  // namespace culprit
