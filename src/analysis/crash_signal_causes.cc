// Signals that the processor or the kernel gave for one instruction, and those that somebody sent.
#include <fmt/format.h>

#include <csignal>

#include "analysis/crash_cause.h"
#include "model/signals.h"

namespace culprit {
namespace {

// What it divides by, without what lies beyond its size; nothing: not known.
std::optional<uint64_t> divisor_of(CrashScene& scene) {
  const InstructionOperands& division = *scene.instruction;
  uint64_t mask = division.operand_size >= 8 ? UINT64_MAX : (uint64_t{1} << (8 * division.operand_size)) - 1;
  if (division.divisor) return value_of(scene.registers(), *division.divisor) & mask;
  if (division.memory.empty()) return {};
  auto address = division.memory.front().address(scene.registers());
  auto word = address ? scene.target.memory().word(*address) : std::nullopt;
  return word ? std::optional(*word & mask) : std::nullopt;
}

CrashVerdict cause_of_arithmetic(CrashScene& scene) {
  CrashVerdict verdict{
      .cause = CrashCause::arithmetic,
      .what = fmt::format("Died of an arithmetic error: {}", signal_code(SIGFPE, scene.info().signal_code).meaning)};
  if (!scene.instruction) return verdict;
  verdict.evidence.push_back("the instruction is " + instruction_words(*scene.instruction));
  if (!scene.instruction->is_division) return verdict;
  auto divisor = divisor_of(scene);
  if (!divisor) {
    verdict.what = "Divided integers without a result: by zero, or the quotient is too large";
    return verdict;
  }
  verdict.cause = *divisor == 0 ? CrashCause::divide_by_zero : CrashCause::divide_overflow;
  verdict.what = *divisor == 0 ? "Divided an integer by zero"
                               : "Divided integers whose quotient is too large, as of the smallest number by -1";
  verdict.evidence.back() += fmt::format(", which divides by {:#x}", *divisor);
  return verdict;
}

CrashVerdict cause_of_illegal(CrashScene& scene) {
  if (!scene.instruction)
    return {.cause = CrashCause::illegal_instruction,
            .what = "Ran into bytes that are no instruction",
            .evidence = {"a jump to a wrong place, or code that was overwritten or is for another processor"}};
  std::string words = instruction_words(*scene.instruction);
  if (scene.instruction->is_undefined)
    return {.cause = CrashCause::trap,
            .what = "Ran into a trap",
            .evidence = {fmt::format("the instruction is {}, which compilers put where code must not come: "
                                     "__builtin_trap(), failed checks, unreachable code",
                                     words)}};
  CrashVerdict verdict{.cause = CrashCause::illegal_instruction,
                       .what = "Executed an instruction that the processor refused"};
  verdict.evidence.push_back("the instruction is " + words);
  if (!scene.instruction->feature.empty()) {
    verdict.what += fmt::format(": it needs {}", scene.instruction->feature);
    verdict.evidence.push_back(
        fmt::format("the program, or a library, was built for processors with {}", scene.instruction->feature));
    verdict.confidence = Confidence::likely;
  }
  return verdict;
}

// Its handler gave up, or another thread sent the signal; where the instruction explains it, it was the former.
std::optional<CrashVerdict> cause_of_raising_again(const CrashScene& scene) {
  const TargetMapping* code = mapping_at(scene.target, scene.registers().rip);
  bool is_nowhere = scene.info().signal == SIGSEGV && (code == nullptr || !code->is_executable);
  if (is_nowhere || scene.address || makes_fault(scene)) return {};
  return CrashVerdict{
      .cause = CrashCause::raised,
      .confidence = Confidence::likely,
      .what = fmt::format("Died of {} from its own process (its handler, or another thread)",
                          signal_name(scene.info().signal)),
      .evidence = {"the process sent the signal itself, but the thread stands at no system call that sends one"}};
}

struct LimitRow {
  int32_t signal;
  std::string_view words;
};
constexpr LimitRow kernel_signals[] = {
    {SIGXCPU, "Used up its limit of processor time (RLIMIT_CPU)"},
    {SIGXFSZ, "Wrote a file beyond its limit of file size (RLIMIT_FSIZE)"},
    {SIGQUIT, "Ended by SIGQUIT from its terminal (Ctrl-\\)"},
};

}  // namespace

std::optional<CrashVerdict> cause_of_instruction(CrashScene& scene) {
  const TargetInfo& info = scene.info();
  if (info.signal == SIGFPE) return cause_of_arithmetic(scene);
  if (info.signal == SIGILL) return cause_of_illegal(scene);
  if (info.signal == SIGTRAP)
    return CrashVerdict{
        .cause = CrashCause::breakpoint,
        .what = "Came to a breakpoint with no debugger there",
        .evidence = {scene.instruction && scene.instruction->is_breakpoint ? "the instruction is int3"
                                                                           : "the processor reported a trap"}};
  if (info.signal != SIGSYS || !info.refused_call) return {};
  return CrashVerdict{.cause = CrashCause::refused_call,
                      .what = fmt::format("Made the system call {}, which a seccomp filter forbids",
                                          system_call_name(*info.refused_call)),
                      .evidence = {fmt::format("SIGSYS, with the number {} of the system call", *info.refused_call)}};
}

std::optional<CrashVerdict> cause_of_sender(CrashScene& scene) {
  const TargetInfo& info = scene.info();
  std::string signal = signal_name(info.signal);
  bool was_sent = info.signal_code == SI_USER || info.signal_code == SI_QUEUE || info.signal_code == SI_TKILL;
  if (info.signal_code == SI_KERNEL)
    for (const LimitRow& row : kernel_signals)
      if (row.signal == info.signal) return CrashVerdict{.cause = CrashCause::killed, .what = std::string(row.words)};
  // gcore writes a signal without its siginfo: then code and sender are 0, and nothing is known.
  if (!was_sent || info.sender_pid == 0) return {};
  if (info.sender_pid != info.pid)
    return CrashVerdict{.cause = CrashCause::killed,
                        .what = fmt::format("Killed from outside: process {} (user {}) sent {}", info.sender_pid,
                                            info.sender_uid, signal)};
  if (info.signal == SIGABRT) return {};
  if (scene.is_raised_again) return cause_of_raising_again(scene);
  return CrashVerdict{.cause = CrashCause::raised, .what = fmt::format("Sent {} to itself", signal)};
}

}  // namespace culprit
