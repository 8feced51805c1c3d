#include "model/crash.h"

#include <iterator>

namespace culprit {
namespace {

constexpr CrashCauseInfo causes[] = {
    {"none", "NO_CRASH"},
    {"unknown", "SIGNAL"},
    {"null read", "NULL_POINTER_READ"},
    {"null write", "NULL_POINTER_WRITE"},
    {"null access", "NULL_POINTER_ACCESS"},
    {"null call", "NULL_POINTER_CALL"},
    {"wild read", "INVALID_POINTER_READ"},
    {"wild write", "INVALID_POINTER_WRITE"},
    {"wild access", "INVALID_POINTER_ACCESS"},
    {"non-canonical address", "NON_CANONICAL_POINTER"},
    {"bad jump", "INVALID_POINTER_EXECUTE"},
    {"bad return", "CORRUPT_RETURN_ADDRESS"},
    {"data execution", "SOFTWARE_NX_FAULT"},
    {"read-only write", "READ_ONLY_WRITE"},
    {"protected access", "PROTECTED_MEMORY_ACCESS"},
    {"stack overflow", "STACK_OVERFLOW"},
    {"double free", "HEAP_CORRUPTION_DOUBLE_FREE"},
    {"invalid free", "HEAP_CORRUPTION_INVALID_FREE"},
    {"heap corruption", "HEAP_CORRUPTION"},
    {"use after free", "USE_AFTER_FREE"},
    {"heap overrun", "HEAP_OVERRUN"},
    {"abort message", "ABORT_MESSAGE"},
    {"abort", "ABORT"},
    {"assertion", "ASSERTION"},
    {"uncaught exception", "CPP_EXCEPTION"},
    {"terminate", "CPP_TERMINATE"},
    {"pure virtual call", "PURE_VIRTUAL_CALL"},
    {"stack smashing", "STACK_BUFFER_OVERRUN"},
    {"buffer overflow", "FORTIFY_BUFFER_OVERFLOW"},
    {"sanitizer", "SANITIZER"},
    {"trap", "TRAP"},
    {"breakpoint", "BREAKPOINT"},
    {"illegal instruction", "ILLEGAL_INSTRUCTION"},
    {"privileged instruction", "PRIVILEGED_INSTRUCTION"},
    {"division by zero", "INTEGER_DIVIDE_BY_ZERO"},
    {"division overflow", "INTEGER_OVERFLOW"},
    {"arithmetic error", "ARITHMETIC_ERROR"},
    {"truncated file", "MAPPED_FILE_TRUNCATED"},
    {"bus error", "BUS_ERROR"},
    {"misaligned access", "MISALIGNED_ACCESS"},
    {"refused system call", "REFUSED_SYSTEM_CALL"},
    {"killed", "KILLED"},
    {"raised signal", "RAISED_SIGNAL"},
    {"hang", "APPLICATION_HANG"},
};
static_assert(std::size(causes) == crash_cause_count);

}  // namespace

const CrashCauseInfo& info_of(CrashCause cause) { return causes[static_cast<size_t>(cause)]; }

std::string_view name_of(Confidence confidence) {
  constexpr std::string_view names[] = {"possible", "likely", "certain"};
  return names[static_cast<size_t>(confidence)];
}

}  // namespace culprit
