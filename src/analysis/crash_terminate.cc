#include "analysis/crash_terminate.h"

#include <fmt/format.h>

#include <algorithm>

#include "analysis/blame.h"
#include "analysis/exception_route.h"
#include "analysis/thrown_exception.h"
#include "symbols/function_name.h"

namespace culprit {
namespace {

// What stands between who threw and the terminate handler. A library without symbols names only what it exports.
struct Step {
  std::string_view name;
  bool ends = false;         // it calls the terminate handler, or what does so
  bool throws = false;       // an exception is under way
  bool is_kept = false;      // which may not come out of a function
  bool is_at_throw = false;  // and nothing of the stack has been unwound since it was thrown
};
constexpr Step steps[] = {
    {.name = "std::terminate", .ends = true},
    {.name = "__cxxabiv1::__terminate", .ends = true},
    {.name = "__cxa_call_terminate", .ends = true, .throws = true, .is_kept = true},
    {.name = "__clang_call_terminate", .ends = true, .throws = true, .is_kept = true},
    {.name = "__gxx_personality_v0", .ends = true, .throws = true, .is_kept = true},
    {.name = "__cxa_throw", .ends = true, .throws = true, .is_at_throw = true},
    {.name = "__cxa_rethrow", .ends = true, .throws = true, .is_at_throw = true},
    {.name = "std::rethrow_exception", .throws = true, .is_at_throw = true},
    {.name = "_Unwind_RaiseException", .throws = true},
    {.name = "_Unwind_RaiseException_Phase2", .throws = true},
    {.name = "_Unwind_Resume", .throws = true},
    {.name = "_Unwind_Resume_or_Rethrow", .throws = true},
};

const Step* step_of(const ReportFrame& frame) {
  const std::string name = qualified_name(frame.function);
  auto step = std::ranges::find(steps, name, &Step::name);
  return step == std::end(steps) ? nullptr : step;
}

bool is_passed_over(const ReportFrame& frame) { return skipping_rule(blame_rules(), frame) != nullptr; }

struct Termination {
  size_t first = 0, last = 0;  // frames of the report: those of the C++ library, innermost and outermost
  bool is_thrown = false, is_kept = false, is_at_throw = false;
  bool is_unwound = false;  // down to the function that keeps it, which is the next frame
};

std::optional<Termination> find_termination(const ReportStack& stack) {
  auto ends = [](const ReportFrame& frame) {
    const Step* step = step_of(frame);
    return step != nullptr && step->ends;
  };
  auto first = std::ranges::find_if(stack.frames, ends);
  if (first == stack.frames.end()) return {};
  Termination found;
  found.first = found.last = static_cast<size_t>(first - stack.frames.begin());
  for (size_t i = found.first; i < stack.frames.size() && is_passed_over(stack.frames[i]); ++i) {
    const Step* step = step_of(stack.frames[i]);
    if (step == nullptr) continue;
    if (step->throws) found.is_thrown = true, found.last = i;
    found.is_kept = found.is_kept || step->is_kept;
    found.is_at_throw = found.is_at_throw || step->is_at_throw;
    found.is_unwound = found.is_unwound || step->name == "__clang_call_terminate";
  }
  return found;
}

// Index into the walked frames: the first one behind the library's.
size_t first_behind(const CrashScene& scene, const Termination& termination) {
  return walked_frame(scene.stack, termination.last) + 1;
}

std::optional<ThrownException> thrown(CrashScene& scene, const Termination& termination) {
  size_t behind = first_behind(scene, termination);
  if (behind >= scene.walked.frames.size()) return {};
  return find_thrown_exception(scene.target.stack_memory(scene.thread), scene.registers().rsp,
                               scene.walked.frames[behind].sp);
}

std::string exception_words(const ThrownException& exception) {
  return exception.what.empty() ? exception.type : fmt::format("{}, \"{}\"", exception.type, exception.what);
}

// The function that lets no exception out, as frames of the report: what is inlined into it, and it.
std::pair<size_t, size_t> keeping_frames(CrashScene& scene, const Termination& termination) {
  size_t behind = first_behind(scene, termination);
  if (behind >= scene.walked.frames.size()) return {0, 0};
  if (termination.is_unwound) return report_frames(scene.stack, behind, 1);
  auto keeps = frame_that_keeps_exceptions(scene.target, std::span(scene.walked.frames).subspan(behind));
  return keeps ? report_frames(scene.stack, behind + *keeps, 1) : std::pair<size_t, size_t>{0, 0};
}

// The function that ended it for being noexcept, and where that is not where the exception was thrown, whom to blame.
std::string tell_who_keeps(CrashScene& scene, const Termination& termination, CrashVerdict& verdict) {
  auto [from, to] = keeping_frames(scene, termination);
  if (from == to) return "An exception was thrown through a noexcept function";
  const ReportFrame& function = scene.stack.frames[to - 1];
  verdict.evidence.push_back(fmt::format("{}{} is noexcept: its exception table lets none out of this call",
                                         frame_words(function), to - from > 1 ? ", or what is inlined into it," : ""));
  if (!termination.is_at_throw) {
    verdict.frame = from;
    verdict.frame_reason = "it let no exception out; who threw it has left the stack, as destructors ran on the way";
  }
  bool is_named = to - from == 1 && !function.function.empty();
  return is_named ? "An exception was thrown through the noexcept function " + qualified_name(function.function)
                  : "An exception was thrown through a noexcept function";
}

CrashVerdict without_exception(const CrashScene& scene) {
  CrashVerdict verdict{.cause = CrashCause::terminate, .what = "std::terminate() was called"};
  if (library_frame(scene.stack, "std::thread::~thread") || library_frame(scene.stack, "std::thread::operator="))
    verdict.what += ": a std::thread was destroyed that was neither joined nor detached";
  verdict.evidence.emplace_back("std::terminate is on the stack, and no exception was thrown");
  return verdict;
}

CrashVerdict verdict_of(CrashScene& scene, const Termination& termination) {
  auto exception = thrown(scene, termination);
  if (!termination.is_thrown && !exception) return without_exception(scene);
  CrashVerdict verdict{.cause = CrashCause::exception, .what = "An exception was thrown that nobody catches"};
  if (!exception) {
    verdict.evidence.emplace_back("std::terminate is on the stack; the exception itself was not found");
  } else {
    verdict.evidence.push_back(fmt::format("std::terminate is on the stack, and the exception object lies at {:#x}{}",
                                           exception->object, exception->is_only ? "" : "; there are others"));
    if (!exception->is_only || !termination.is_thrown) verdict.confidence = Confidence::likely;
  }
  if (termination.is_kept) verdict.what = tell_who_keeps(scene, termination, verdict);
  if (exception) verdict.what += ": " + exception_words(*exception);
  return verdict;
}

// The program's own terminate handler: of the frames inside of std::terminate, the outermost one that no rule passes
// over.
std::optional<size_t> own_handler(const ReportStack& stack, const Termination& termination) {
  for (size_t i = termination.first; i-- > 0;)
    if (!is_passed_over(stack.frames[i])) return i;
  return {};
}

bool is_as_meant(CrashCause cause) {
  return cause == CrashCause::abort_call || cause == CrashCause::raised || cause == CrashCause::terminate ||
         cause == CrashCause::trap;
}

}  // namespace

std::optional<CrashVerdict> cause_of_terminate(CrashScene& scene) {
  if (library_frame(scene.stack, "__cxa_pure_virtual"))
    return CrashVerdict{.cause = CrashCause::pure_virtual,
                        .what = "Called a pure virtual function, of an object that is being made or destroyed",
                        .evidence = {"__cxa_pure_virtual is on the stack"}};
  if (library_frame(scene.stack, "__cxa_deleted_virtual"))
    return CrashVerdict{.cause = CrashCause::pure_virtual,
                        .what = "Called a deleted virtual function",
                        .evidence = {"__cxa_deleted_virtual is on the stack"}};
  auto termination = find_termination(scene.stack);
  if (!termination || own_handler(scene.stack, *termination)) return {};
  return verdict_of(scene, *termination);
}

void look_behind_terminate_handler(CrashScene& scene, CrashVerdict& verdict) {
  auto termination = find_termination(scene.stack);
  auto handler = termination ? own_handler(scene.stack, *termination) : std::nullopt;
  if (!handler) return;
  std::string name = frame_words(scene.stack.frames[*handler]);
  if (!is_as_meant(verdict.cause)) {
    auto exception = thrown(scene, *termination);
    verdict.evidence.push_back(fmt::format("this was in the program's terminate handler, {}{}", name,
                                           exception ? ", called for " + exception_words(*exception) : ""));
    return;
  }
  CrashVerdict found = verdict_of(scene, *termination);
  found.evidence.push_back(fmt::format("the program's terminate handler, {}, then ended it: {}", name, verdict.what));
  if (!found.frame) {
    auto behind = std::find_if_not(scene.stack.frames.begin() + static_cast<ptrdiff_t>(termination->last),
                                   scene.stack.frames.end(), is_passed_over);
    if (behind != scene.stack.frames.end()) found.frame = static_cast<size_t>(behind - scene.stack.frames.begin());
    found.frame_reason = "the innermost frame behind the terminate handler that no rule passes over";
  }
  verdict = std::move(found);
}

}  // namespace culprit
