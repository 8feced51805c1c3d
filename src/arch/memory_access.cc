#include "arch/memory_access.h"

#include <algorithm>
#include <span>

namespace culprit {

namespace {

// Beginnings of names.
constexpr std::string_view stores[] = {
    "mov",      "vmov",      "vmaskmov",  "vpmaskmov",  "pextr",  "vpextr",    "extract", "vextract",
    "vscatter", "vpscatter", "vcompress", "vpcompress", "vpmov",  "vcvtps2ph", "fst",     "fist",
    "fnst",     "fbst",      "fsave",     "fnsave",     "fxsave", "xsave",     "stmxcsr", "vstmxcsr",
    "stos",     "set",       "pop",       "sgdt",       "sidt",   "sldt",      "smsw",    "str"};
constexpr std::string_view changes[] = {"cmpxchg", "xadd", "xchg", "bts", "btr", "btc"};
constexpr std::string_view only_reads[] = {
    "cmp",   "test",   "bt",      "push",   "mul",     "imul",     "div",      "idiv",    "call",  "jmp",      "fld",
    "fild",  "fbld",   "fadd",    "fsub",   "fmul",    "fdiv",     "fiadd",    "fisub",   "fimul", "fidiv",    "fcom",
    "ficom", "frstor", "fxrstor", "xrstor", "ldmxcsr", "vldmxcsr", "prefetch", "clflush", "clwb",  "cldemote", "lgdt",
    "lidt",  "lldt",   "ltr",     "lmsw",   "verr",    "verw",     "invlpg",   "ptwrite"};

bool is_one_of(std::string_view name, std::span<const std::string_view> beginnings) {
  return std::ranges::any_of(beginnings, [&](std::string_view beginning) { return name.starts_with(beginning); });
}

}  // namespace

void correct_access(std::string_view name, bool is_first, MemoryOperand& memory) {
  if (name.starts_with("vscatter") || name.starts_with("vpscatter")) is_first = true;
  if (!is_first) {
    // Only a few change what they take.
    if (!memory.reads && !memory.writes) memory.reads = true;
    return;
  }
  if (is_one_of(name, changes)) {
    memory.reads = memory.writes = true;
  } else if (name == "test") {
    memory.writes = false;
  } else if (!memory.writes) {
    memory.writes = is_one_of(name, stores);
    memory.reads = !memory.writes && is_one_of(name, only_reads);
  }
}

}  // namespace culprit
