#include "shell/stack_lines.h"

#include <fmt/format.h>

#include <array>

#include "analysis/target_names.h"
#include "base/text.h"
#include "shell/console_stacks.h"
#include "symbols/function_name.h"
#include "view/text_style.h"

namespace culprit {
namespace {

// Of addresses: those of programs have no more, but for the rarest of kernels.
constexpr int digits = 12;

std::string_view file_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

// "orders!Stock::reserve+0x57"; in full with the arguments of templates.
std::string call_site(const ReportFrame& frame, const StackOptions& options) {
  if (frame.module.empty() && frame.function.empty()) return fmt::format("{:#x}", frame.offset);
  if (frame.function.empty()) return fmt::format("{}+{:#x}", module_of(frame), frame.offset);
  bool has_offset = frame.function_offset != 0 && !options.names_only;
  std::string offset = has_offset ? fmt::format("+{:#x}", frame.function_offset) : "";
  std::string name(options.how_found ? std::string(without_parameters(frame.function))
                                     : qualified_name(frame.function));
  return fmt::format("{}!{}{}", module_of(frame), name.empty() ? frame.function : name, offset);
}

// Where the stack pointer was in the frame, and where it returns to.
std::string numbers_of(const WalkedStack& walked, size_t at, const StackOptions& options) {
  const WalkedFrame& frame = walked.frames[at];
  uint64_t caller = at + 1 < walked.frames.size() ? walked.frames[at + 1].address : 0;
  std::string size;
  if (options.sizes)
    size = at == 0 ? fmt::format("{:>6} ", "") : fmt::format("{:>6x} ", frame.sp - walked.frames[at - 1].sp);
  return fmt::format("{}{:0{}x} {:0{}x} ", size, frame.sp, digits, caller, digits);
}

// `numbers`: what stands before its name.
std::string frame_line(const ReportFrame& frame, std::string numbers, const StackOptions& options, size_t columns) {
  std::string site = call_site(frame, options), behind;
  // A terminal is as wide as it is; elsewhere lines are for other programs, and only what nobody reads is left out.
  constexpr size_t widest_name = 240;
  if (options.names_only) return shown(site, widest_name);
  if (options.source && frame.line != 0) behind = fmt::format(" [{} @ {}]", file_name(frame.file), frame.line);
  if (options.how_found) behind += fmt::format(" (by {})", name_of(frame.found_by));
  constexpr size_t narrowest = 40;  // of what is too wide, the beginning and the end of the name stay readable
  size_t used = numbers.size() + display_width(behind);
  size_t room = columns > used + narrowest ? columns - used : narrowest;
  return numbers + shown(site, options.how_found || columns == 0 ? widest_name : room) + printable(behind);
}

std::string heading(const StackOptions& options) {
  std::string size = options.sizes ? "Memory " : "";
  return fmt::format("{}{}{:<{}} {:<{}} Call Site\n", options.numbers ? " # " : "", size, "Child-SP", digits, "RetAddr",
                     digits);
}

// Of the innermost frame, without what is inlined into it; empty: nothing.
std::string arguments_text(const TakenStack& stack, const ReportFrame& inner) {
  const TargetThread& thread = stack.thread;
  const Registers& r = thread.registers;
  auto six = [](std::string_view what, const std::array<uint64_t, 6>& values) {
    return fmt::format("   {}: {:#x} {:#x} {:#x}\n      {:#x} {:#x} {:#x}\n", what, values[0], values[1], values[2],
                       values[3], values[4], values[5]);
  };
  if (thread.blocked_in)
    return six(fmt::format("in system call {}", thread.blocked_in->number), thread.blocked_in->arguments);
  bool has_begun = inner.found_by == FoundBy::registers && !inner.function.empty() && inner.function_offset == 0;
  if (!has_begun || thread.known != RegistersKnown::all) return "";
  return six("arguments, up to six", {r.rdi, r.rsi, r.rdx, r.rcx, r.r8, r.r9});
}

}  // namespace

std::string module_of(const ReportFrame& frame) {
  TargetModule module;
  module.module.path = frame.module;
  return module_word(module);
}

std::vector<StackLine> stack_lines(const TakenStack& stack, const StackOptions& options, size_t columns) {
  std::vector<StackLine> lines;
  size_t walked = 0;
  size_t width = 2 * (digits + 1) + (options.sizes ? 7 : 0);
  for (const ReportFrame& frame : stack.report.frames) {
    bool has_own = !frame.inlined && walked < stack.walked.frames.size();
    std::string numbers =
        has_own ? numbers_of(stack.walked, walked, options) : fmt::format("{:>{}}", "(inline) ", width);
    lines.push_back({lines.size(), frame_line(frame, std::move(numbers), options, columns), &frame});
    if (has_own) ++walked;
  }
  return lines;
}

std::string stack_text(const TakenStack& stack, const StackOptions& options, size_t columns) {
  if (stack.report.frames.empty()) return fmt::format("  {}\n", printable(why_unknown(stack.thread)));
  std::string text;
  if (!options.names_only) text += heading(options);
  size_t indent = options.numbers ? 3 : 0;
  bool is_inner_told = false;
  for (const StackLine& line : stack_lines(stack, options, columns > indent ? columns - indent : 0)) {
    if (line.number >= options.most) break;
    text += (options.numbers ? fmt::format("{:02x} ", line.number) : "") + line.text + "\n";
    if (!options.arguments || is_inner_told || line.frame->inlined) continue;
    text += arguments_text(stack, *line.frame);
    is_inner_told = true;
  }
  if (stack.report.truncated && options.most >= stack.report.frames.size())
    text += "WARNING: the stack could not be followed further; its outer end is missing\n";
  return text;
}

}  // namespace culprit
