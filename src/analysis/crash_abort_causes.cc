// SIGABRT that the program sent itself: why abort() was called.
#include <fmt/format.h>

#include <csignal>

#include "analysis/abort_message.h"
#include "analysis/crash_cause.h"
#include "analysis/crash_terminate.h"
#include "analysis/sanitizer_report.h"
#include "base/glob.h"

namespace culprit {
namespace {

struct MessageRow {
  std::string_view beginning;
  CrashCause cause;
  std::string_view what;
};
// glibc, malloc/malloc.c, debug/. The first that fits.
constexpr MessageRow messages[] = {
    {"double free or corruption", CrashCause::double_free, "Freed a block twice, or the heap is corrupt"},
    {"free(): double free", CrashCause::double_free, "Freed a block twice"},
    {"free(): invalid pointer", CrashCause::invalid_free, "Freed what is no block of the heap"},
    {"munmap_chunk(): invalid pointer", CrashCause::invalid_free, "Freed what is no block of the heap"},
    {"free(): invalid size", CrashCause::invalid_free, "Freed what is no block, or one whose size was overwritten"},
    {"realloc(): invalid pointer", CrashCause::invalid_free, "Enlarged what is no block of the heap"},
    {"*** stack smashing detected ***", CrashCause::stack_smashing, "Wrote beyond an array on the stack"},
    {"*** buffer overflow detected ***", CrashCause::buffer_overflow,
     "Wrote beyond a buffer whose size the compiler knew"},
    {"*** %n in writable segment", CrashCause::buffer_overflow, "Used %n in a format that can be written to"},
    {"*** invalid %N$ use detected ***", CrashCause::buffer_overflow, "Used a format whose arguments have gaps"},
    {"free(): ", CrashCause::heap_corruption, "Found the heap corrupt while freeing"},
    {"malloc(): ", CrashCause::heap_corruption, "Found the heap corrupt while allocating"},
    {"realloc(): ", CrashCause::heap_corruption, "Found the heap corrupt while reallocating"},
    {"calloc(): ", CrashCause::heap_corruption, "Found the heap corrupt while allocating"},
    {"malloc_consolidate(): ", CrashCause::heap_corruption, "Found the heap corrupt while allocating"},
    {"corrupted ", CrashCause::heap_corruption, "Found the heap corrupt"},
    {"corrupted size vs. prev_size", CrashCause::heap_corruption, "Found the heap corrupt"},
    {"sysmalloc", CrashCause::heap_corruption, "Found the heap corrupt while allocating"},
    {"break adjusted to free malloc space", CrashCause::heap_corruption, "Found the heap corrupt while allocating"},
    {"unsorted", CrashCause::heap_corruption, "Found the heap corrupt while allocating"},
};

constexpr std::string_view sanitizer_functions[] = {"__sanitizer::*", "__asan::*", "__ubsan::*", "__tsan::*",
                                                    "__msan::*",      "__lsan::*", "__asan_*",   "__ubsan_*",
                                                    "__tsan_*",       "__msan_*",  "__lsan_*",   "__sanitizer_*"};

std::string quoted(std::string_view message) { return fmt::format("the C library said: \"{}\"", message); }

// The frame of a sanitizer's own code that asked for the end.
std::optional<size_t> sanitizer_frame(const CrashScene& scene) {
  for (std::string_view glob : sanitizer_functions)
    if (auto frame = library_frame(scene.stack, glob)) return frame;
  // Without symbols they have no names.
  for (size_t i = 0; i < scene.stack.frames.size() && i <= scene.stack.blamed.value_or(SIZE_MAX - 1); ++i)
    for (std::string_view library : {"libasan.so*", "libubsan.so*", "libtsan.so*", "liblsan.so*", "libclang_rt.*"})
      if (path_glob_matches(library, scene.stack.frames[i].module)) return i;
  return {};
}

std::optional<CrashVerdict> by_sanitizer(const CrashScene& scene) {
  auto frame = sanitizer_frame(scene);
  if (!frame) return {};
  const ReportFrame& found = scene.stack.frames[*frame];
  CrashVerdict verdict{
      .cause = CrashCause::sanitizer,
      .what = "Stopped by a sanitizer, whose report went to the error stream",
      .evidence = {fmt::format("{} is on the stack", found.function.empty() ? found.module : found.function)}};
  std::string report = read_sanitizer_report(scene.target);
  if (report.empty()) return verdict;
  verdict.what = fmt::format("Stopped by AddressSanitizer: {}", report);
  verdict.evidence.emplace_back("its report is in memory");
  return verdict;
}

std::optional<CrashVerdict> by_assertion(const CrashScene& scene, const std::string& message) {
  auto assertion = parse_assertion(message);
  auto frame = library_frame(scene.stack, "__assert_*");
  if (!assertion && !frame) return {};
  CrashVerdict verdict{.cause = CrashCause::assertion, .what = "An assertion failed"};
  if (!message.empty()) verdict.evidence.push_back(quoted(message));
  if (message.empty()) verdict.evidence.emplace_back("__assert_fail is on the stack; what it said is not in the core");
  if (assertion) verdict.what = fmt::format("The assertion `{}` failed", assertion->expression);
  return verdict;
}

std::optional<CrashVerdict> by_message(const CrashScene& scene, const std::string& message) {
  for (const MessageRow& row : messages)
    if (message.starts_with(row.beginning))
      return CrashVerdict{.cause = row.cause, .what = std::string(row.what), .evidence = {quoted(message)}};
  // Without a message the functions tell it.
  if (library_frame(scene.stack, "__stack_chk_fail"))
    return CrashVerdict{.cause = CrashCause::stack_smashing,
                        .what = "Wrote beyond an array on the stack",
                        .evidence = {"__stack_chk_fail is on the stack"}};
  if (library_frame(scene.stack, "__chk_fail") || library_frame(scene.stack, "__fortify_fail"))
    return CrashVerdict{.cause = CrashCause::buffer_overflow,
                        .what = "Wrote beyond a buffer whose size the compiler knew",
                        .evidence = {"__chk_fail is on the stack"}};
  return {};
}

}  // namespace

std::optional<CrashVerdict> cause_of_abort(CrashScene& scene) {
  if (scene.info().signal != SIGABRT) return {};
  std::string message = read_abort_message(scene.target, scene.names);
  if (auto verdict = by_sanitizer(scene)) return verdict;
  if (auto verdict = by_assertion(scene, message)) return verdict;
  if (auto verdict = by_message(scene, message)) return verdict;
  if (auto verdict = cause_of_terminate(scene)) return verdict;
  if (!message.empty())
    return CrashVerdict{.cause = CrashCause::abort_message,
                        .what = fmt::format("The C library aborted: {}", message),
                        .evidence = {quoted(message)}};
  auto frame = library_frame(scene.stack, "*abort");
  return CrashVerdict{.cause = CrashCause::abort_call,
                      .confidence = frame ? Confidence::certain : Confidence::likely,
                      .what = frame ? "Called abort()" : "Ended itself by SIGABRT",
                      .evidence = {frame ? "abort is on the stack, and the C library left no message"
                                         : "the signal came from the process itself"}};
}

}  // namespace culprit
