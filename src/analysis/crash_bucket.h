// By which crashes are counted as the same one.
#pragma once

#include <string>
#include <string_view>

#include "analysis/report_stack.h"
#include "model/crash.h"

namespace culprit {

// "NULL_POINTER_WRITE_SIGSEGV_server!Checkout::add": without addresses, lines, parameters and template arguments, so
// that it stays the same across builds. "Unknown" for what has no name; characters that file names should not have are
// _.
std::string crash_bucket(CrashCause cause, int32_t signal, const ReportFrame* frame);

// As WinDbg's FAILURE_ID_HASH: MD5 of "um:" and the bucket in lower case and UTF-16, written as a GUID. So equal
// buckets have equal hashes there and here.
std::string bucket_hash(std::string_view bucket);

}  // namespace culprit
