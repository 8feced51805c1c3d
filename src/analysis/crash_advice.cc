#include "analysis/crash_advice.h"

#include <fmt/format.h>

#include "analysis/blame.h"

namespace culprit {
namespace {

struct AdviceRow {
  CrashCause cause;
  std::string_view words;
};
constexpr AdviceRow rows[] = {
    {CrashCause::null_read, "find out who made that pointer null: the callers above, and where the register came from"},
    {CrashCause::null_write,
     "find out who made that pointer null: the callers above, and where the register came from"},
    {CrashCause::null_call, "find out who should have set that function pointer"},
    {CrashCause::double_free, "build with -fsanitize=address and run again: it tells who freed the block first"},
    {CrashCause::invalid_free, "build with -fsanitize=address and run again: it tells whose block it is"},
    {CrashCause::use_after_free, "build with -fsanitize=address and run again: it tells who freed the block"},
    {CrashCause::heap_overrun, "build with -fsanitize=address and run again: it stops where the block is overrun"},
    {CrashCause::heap_corruption,
     "the damage was done before, by other code: build with -fsanitize=address and run again"},
    {CrashCause::wild_read, "build with -fsanitize=address and run again: wild pointers often are to freed memory"},
    {CrashCause::wild_write, "build with -fsanitize=address and run again: wild pointers often are to freed memory"},
    {CrashCause::non_canonical, "look for what was written over that pointer: its bytes may tell"},
    {CrashCause::bad_return, "look for an array on the stack that was written beyond its end"},
    {CrashCause::stack_smashing, "the arrays of the blamed function are what was written beyond"},
    {CrashCause::file_truncated, "find out who shortens that file while it is mapped"},
    {CrashCause::hang, "culprit locks on the same target shows every lock and all that wait"},
    {CrashCause::exception, "catch it, or look at why it is thrown: the frames above the blamed one"},
};

bool lacks_symbols(const CrashModule& module) {
  return module.symbols < SymbolQuality::debug_info && is_own_module(module.module.path);
}

}  // namespace

std::vector<std::string> crash_advice(const CrashReport& report) {
  std::vector<std::string> advice;
  for (const AdviceRow& row : rows)
    if (row.cause == report.verdict.cause) advice.emplace_back(row.words);
  for (const CrashModule& module : report.modules)
    if (lacks_symbols(module) && !module.note.empty()) advice.push_back(module.note);
  if (report.kind == TargetKind::core && report.fault.signal != 0)
    advice.push_back(
        fmt::format("culprit shell {} and then .ecxr: registers, memory and code at the fault", report.target));
  if (report.use && report.use->handles_are_full())
    advice.emplace_back("no handle was left: culprit run -- COMMAND, or culprit attach, tells who makes them");
  if (report.kind == TargetKind::live && report.fault.signal == 0)
    advice.push_back(
        fmt::format("culprit stacks {} and culprit locks {} tell what it does", report.target, report.target));
  return advice;
}

}  // namespace culprit
