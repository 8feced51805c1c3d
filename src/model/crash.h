// What can end a program, and how sure one can be of it.
#pragma once

#include <cstdint>
#include <string_view>

namespace culprit {

enum class CrashCause : uint8_t {
  none,       // it has not crashed
  unknown,    // a signal, and no more is known
  null_read,  // through a null pointer: the address is a member's or an element's offset
  null_write,
  null_access,  // one of the two
  null_call,
  wild_read,  // nothing is mapped there
  wild_write,
  wild_access,
  non_canonical,   // no x86-64 address at all
  bad_jump,        // to where no code is
  bad_return,      // the return address was overwritten
  data_execution,  // code was looked for in memory that is not executable
  read_only_write,
  protected_access,  // memory that may not be touched at all
  stack_overflow,
  double_free,  // malloc's own checks, by its message
  invalid_free,
  heap_corruption,
  use_after_free,  // of the heap
  heap_overrun,
  abort_message,  // another message of the C library
  abort_call,
  assertion,
  exception,  // thrown and not caught
  terminate,
  pure_virtual,
  stack_smashing,
  buffer_overflow,  // _FORTIFY_SOURCE
  sanitizer,
  trap,        // __builtin_trap, ud2
  breakpoint,  // int3 without a debugger
  illegal_instruction,
  privileged_instruction,  // one of the kernel's
  divide_by_zero,
  divide_overflow,  // the quotient has no room
  arithmetic,       // another SIGFPE
  file_truncated,   // SIGBUS: mapped, but the file has become shorter
  bus_error,
  misaligned,
  refused_call,  // seccomp
  killed,        // by another process
  raised,        // by the program itself, on purpose
  hang,          // alive, but threads wait for each other
};
inline constexpr size_t crash_cause_count = 44;

struct CrashCauseInfo {
  std::string_view name;    // "null write": in JSON with _
  std::string_view bucket;  // "NULL_POINTER_WRITE": in WinDbg's words where it has one
};
const CrashCauseInfo& info_of(CrashCause cause);

enum class Confidence : uint8_t { possible, likely, certain };
std::string_view name_of(Confidence confidence);  // "possible", "likely", "certain"

}  // namespace culprit
