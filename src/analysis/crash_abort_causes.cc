// SIGABRT that the program sent itself: why abort() was called.
#include <fmt/format.h>

#include <csignal>

#include "analysis/abort_message.h"
#include "analysis/crash_cause.h"
#include "analysis/sanitizer_report.h"
#include "analysis/thrown_exception.h"
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

// Up to the caller of the library's functions.
std::optional<ThrownException> thrown(CrashScene& scene, size_t library_frames) {
  size_t walked = 0;
  for (size_t i = 0; i <= library_frames && i < scene.stack.frames.size(); ++i)
    if (!scene.stack.frames[i].inlined) ++walked;
  if (walked >= scene.walked.frames.size()) return {};
  return find_thrown_exception(scene.target.stack_memory(scene.thread), scene.registers().rsp,
                               scene.walked.frames[walked].sp);
}

std::optional<CrashVerdict> by_exception(CrashScene& scene) {
  if (auto pure = library_frame(scene.stack, "__cxa_pure_virtual"))
    return CrashVerdict{.cause = CrashCause::pure_virtual,
                        .what = "Called a pure virtual function, of an object that is being made or destroyed",
                        .evidence = {"__cxa_pure_virtual is on the stack"}};
  if (library_frame(scene.stack, "__cxa_deleted_virtual"))
    return CrashVerdict{.cause = CrashCause::pure_virtual,
                        .what = "Called a deleted virtual function",
                        .evidence = {"__cxa_deleted_virtual is on the stack"}};
  auto terminate = library_frame(scene.stack, "std::terminate");
  // A library without symbols names only what it exports.
  for (std::string_view glob : {"__cxa_call_terminate", "__gxx_personality_v0", "__cxa_throw", "__cxa_rethrow"})
    if (!terminate) terminate = library_frame(scene.stack, glob);
  if (!terminate) return {};
  size_t last = *terminate;
  bool is_thrown = false;
  for (size_t i = last; i < scene.stack.frames.size() && i <= scene.stack.blamed.value_or(SIZE_MAX - 1); ++i) {
    std::string_view name = scene.stack.frames[i].function;
    bool throws = name.starts_with("__cxa_throw") || name.starts_with("__cxa_rethrow") ||
                  name.starts_with("std::rethrow_exception") || name.starts_with("__cxa_call_terminate") ||
                  name.starts_with("__gxx_personality") || name.starts_with("_Unwind_");
    if (throws) is_thrown = true, last = i;
  }
  CrashVerdict verdict{.cause = CrashCause::terminate, .what = "std::terminate() was called"};
  auto exception = thrown(scene, last);
  if (!is_thrown && !exception) {
    if (library_frame(scene.stack, "std::thread::~thread") || library_frame(scene.stack, "std::thread::operator="))
      verdict.what += ": a std::thread was destroyed that was neither joined nor detached";
    verdict.evidence.emplace_back("std::terminate is on the stack, and no exception was thrown");
    return verdict;
  }
  verdict.cause = CrashCause::exception;
  verdict.what = "An exception was thrown that nobody catches";
  if (!exception) {
    verdict.evidence.emplace_back("std::terminate is on the stack; the exception itself was not found");
    return verdict;
  }
  verdict.what = fmt::format("An exception was thrown that nobody catches: {}", exception->type);
  if (!exception->what.empty()) verdict.what += fmt::format(", \"{}\"", exception->what);
  if (!exception->is_only || !is_thrown) verdict.confidence = Confidence::likely;
  verdict.evidence.push_back(fmt::format("std::terminate is on the stack, and the exception object lies at {:#x}{}",
                                         exception->object, exception->is_only ? "" : "; there are others"));
  return verdict;
}

}  // namespace

std::optional<CrashVerdict> cause_of_abort(CrashScene& scene) {
  if (scene.info().signal != SIGABRT) return {};
  std::string message = read_abort_message(scene.target, scene.names);
  if (auto verdict = by_sanitizer(scene)) return verdict;
  if (auto verdict = by_assertion(scene, message)) return verdict;
  if (auto verdict = by_message(scene, message)) return verdict;
  if (auto verdict = by_exception(scene)) return verdict;
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
