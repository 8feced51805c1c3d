#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <ctime>

#include "analysis/blame.h"
#include "base/text.h"
#include "model/signals.h"
#include "symbols/function_name.h"
#include "view/answer_text.h"
#include "view/crash_views.h"
#include "view/lock_words.h"
#include "view/memory_text.h"
#include "view/missing_modules.h"
#include "view/process_use.h"
#include "view/stack_text.h"
#include "view/totals_text.h"

namespace culprit {
namespace {

constexpr size_t label_columns = 13, brief_frames = 10, frames_before_blamed = 3, usual_frames = 24, threads_shown = 6;

class CrashPage {
 public:
  CrashPage(const CrashReport& report, const CrashTextOptions& options) : report_(report), options_(options) {}

  std::string print() {
    sentence();
    if (options_.brief) {
      stack(brief_frames);
      text_ += "bucket: " + report_.bucket + "\n";
      return text_ + losses_text(report_.losses, options_.style);
    }
    if (report_.fault.signal != 0) fault();
    code();
    source();
    stack(options_.details ? SIZE_MAX : usual_frames);
    other_threads();
    locks();
    heap();
    if (report_.use) text_ += process_use_text(*report_.use, report_.handle_maker, style());
    program();
    next();
    text_ += losses_text(report_.losses, options_.style);
    return text_ + missing_modules_text(report_.threads.missing,
                                        {.style = options_.style, .is_core = report_.kind == TargetKind::core});
  }

 private:
  const TextStyle& style() const { return options_.style; }

  void heading(std::string_view words) { text_ += "\n" + line_text(style(), inked(style(), Ink::strong, words), 0); }

  // "label      words, wrapped and kept in their column"
  void row(std::string_view label, std::string_view words) {
    text_ += fmt::format("  {:<{}}{}\n", label, label_columns - 2,
                         wrapped(words, style().columns, label_columns, label_columns));
  }

  void sentence() {
    std::string words = crash_sentence(report_);
    text_ += wrapped(inked(style(), Ink::bad, words), style().columns, 0, 0) + "\n";
    if (report_.verdict.cause == CrashCause::none || options_.brief) {
      if (options_.brief) text_ += "\n";
      return;
    }
    text_ += "\n";
    row("cause", fmt::format("{}, {}", info_of(report_.verdict.cause).name, name_of(report_.verdict.confidence)));
    std::string_view label = "because";
    for (const std::string& evidence : report_.verdict.evidence) {
      row(label, printable(evidence));
      label = "";
    }
    if (!report_.code.origin.empty()) row(label, printable(report_.code.origin));
  }

  void fault() {
    const CrashFault& fault = report_.fault;
    SignalCode code = signal_code(fault.signal, fault.code);
    std::string words = signal_name(fault.signal);
    if (!code.name.empty()) words += fmt::format(", {}: {}", code.name, code.meaning);
    row("signal", words);
    if (fault.address) row("address", fmt::format("{:#x}: {}", *fault.address, printable(fault.address_words)));
    if (report_.operand) row("operand", operand_words());
    if (report_.verdict.cause != CrashCause::hang) row("thread", thread_words());
  }

  std::string operand_words() const {
    const CrashOperand& operand = *report_.operand;
    std::string_view access = operand.reads && operand.writes ? "read and written"
                              : operand.writes                ? "written"
                              : operand.reads                 ? "read"
                                                              : "used";
    std::string words = fmt::format("{}, {} bytes {}", operand.text, operand.size, access);
    for (const RegisterValue& value : operand.registers) words += fmt::format("; {} = {:#x}", value.name, value.value);
    return words;
  }

  std::string thread_words() const {
    const CrashFault& fault = report_.fault;
    return fault.thread_name.empty() ? std::to_string(fault.tid)
                                     : fmt::format("{} \"{}\"", fault.tid, shown(fault.thread_name, 15));
  }

  void code() {
    // Of a signal that somebody sent, the code tells no more than how.
    CrashCause cause = report_.verdict.cause;
    bool is_sent = report_.fault.signal == SIGABRT || cause == CrashCause::killed || cause == CrashCause::raised;
    bool is_told = report_.fault.signal != 0 && cause != CrashCause::hang;
    if (!is_told || (is_sent && !options_.details)) return;
    heading("Registers and code");
    text_ += registers_text(report_.fault.registers, report_.fault.known);
    const CrashCode& code = report_.code;
    uint64_t address = code.instructions.empty() ? 0 : code.instructions.front().address;
    for (size_t i = 0; i < code.instructions.size(); ++i) {
      Bytes bytes = Bytes(code.bytes).subspan(code.instructions[i].address - address);
      const InstructionText& instruction = code.instructions[i];
      std::string line = code_text(std::span(&instruction, 1), bytes, [&](uint64_t asked) {
        return asked == instruction.target ? printable(code.targets[i]) : std::string();
      });
      text_ += fmt::format("{} {}", i == code.failed ? ">" : " ", line);
    }
  }

  void source() {
    if (!report_.culprit) return;
    StackTextOptions options{.style = style(), .indent = 0};
    std::string lines = source_text(report_.stack.frames[*report_.culprit], options);
    if (lines.empty()) return;
    const ReportFrame& frame = report_.stack.frames[*report_.culprit];
    heading(fmt::format("Source: {}", frame_place(frame, 2, style().columns - 8)));
    text_ += lines;
    if (is_source_newer(report_, read_source_excerpt(frame.file, frame.line)))
      text_ += line_text(style(), "this file was changed after the program was built: its lines may have moved");
  }

  // One frame: whether it is blamed (*) or of one's own code (+), its number, function and place.
  void frame(size_t at) {
    const ReportFrame& frame = report_.stack.frames[at];
    bool is_blamed = report_.culprit == at;
    size_t room = style().columns > 40 ? style().columns - 8 : 32;
    std::string place = frame.function.empty() ? "" : frame_place(frame, 1, room * 2 / 5);
    std::string name =
        frame_function(without_parameter_list(frame), room - display_width(place) - (place.empty() ? 0 : 2));
    bool is_own = frame.own && skipping_rule(blame_rules(), frame) == nullptr;
    Ink ink = is_blamed ? Ink::strong : is_own ? Ink::plain : Ink::faint;
    text_ += fmt::format("{}{:>4}  {}\n",
                         is_blamed ? "*"
                         : is_own  ? "+"
                                   : " ",
                         at, inked(style(), ink, place.empty() ? name : name + "  " + place));
  }

  // A page is for people; JSON has them.
  static ReportFrame without_parameter_list(ReportFrame frame) {
    frame.function = without_parameters(frame.function);
    return frame;
  }

  void stack(size_t most) {
    const std::vector<ReportFrame>& frames = report_.stack.frames;
    if (!options_.brief)
      heading(fmt::format("Stack of thread {}, innermost first (* blamed, + own code)", thread_words()));
    if (frames.empty()) text_ += "  its stack is not known\n";
    size_t shown_frames = 0, first = 0;
    if (options_.brief && report_.culprit.value_or(0) > frames_before_blamed) {
      first = *report_.culprit;
      text_ += fmt::format("      … {} in libraries\n", counted(first, "frame"));
    }
    for (size_t at = first; at < frames.size() && shown_frames < most; ++at, ++shown_frames) {
      bool begins_round = report_.recursion && at == report_.recursion->first + report_.recursion->frames;
      if (begins_round)
        text_ += fmt::format("      … the {} above: {} times\n", counted(report_.recursion->frames, "frame"),
                             with_thousands(report_.recursion->rounds));
      frame(at);
    }
    if (first + shown_frames < frames.size()) {
      text_ += fmt::format("      … {} more\n", frames.size() - first - shown_frames);
      if (!options_.brief) frame(frames.size() - 1);
    }
    if (report_.stack.truncated) text_ += "      … the outer end of the stack is missing\n";
    if (!options_.brief) why_blamed();
  }

  static std::string reason_words(const std::string& reason) { return reason.empty() ? "" : ": " + printable(reason); }

  // The rule that chose the blamed frame must be visible, or nobody can argue with it.
  void why_blamed() {
    const std::vector<ReportFrame>& frames = report_.stack.frames;
    if (frames.empty()) return;
    std::string words;
    if (!report_.culprit)
      words = "nobody is blamed: no frame is of code that is known and not passed over by a rule";
    else if (report_.verdict.frame)
      words = "blamed: " + report_.verdict.frame_reason;
    else if (!report_.owner.empty())
      words = fmt::format("blamed by the rule \"{}\"{}", printable(report_.owner), reason_words(report_.owner_reason));
    else if (*report_.culprit == 0)
      words = "blamed: the innermost frame, which no rule passes over";
    else
      words = fmt::format("blamed past {} by the rule \"{}\"{}", counted(*report_.culprit, "frame"),
                          printable(report_.rule), reason_words(report_.rule_reason));
    text_ += line_text(style(), inked(style(), Ink::faint, words));
  }

  void other_threads() {
    const ThreadReport& threads = report_.threads;
    if (threads.all_threads <= 1) return;
    heading(threads.all_threads == 2 ? "The other thread"
                                     : fmt::format("The other {} threads", with_thousands(threads.all_threads - 1)));
    size_t most = options_.details ? threads.groups.size() : std::min(threads.groups.size(), threads_shown), hidden = 0;
    for (size_t i = 0; i < threads.groups.size(); ++i) {
      const ThreadGroup& group = threads.groups[i];
      if (i >= most) {
        hidden += group.threads.size();
        continue;
      }
      std::string who = group.threads.size() == 1 ? fmt::format("thread {}", threads.threads[group.threads.front()].tid)
                                                  : fmt::format("{} threads", group.threads.size());
      std::string doing = group.wait.empty() ? "" : " " + printable(group.wait);
      text_ += line_text(style(), fmt::format("{}{}: {}", who, doing, stack_paragraph(group.stack, style(), 4, 2)));
    }
    if (hidden != 0)
      text_ += line_text(style(), fmt::format("and {} with {}", counted(hidden, "more thread"),
                                              counted(threads.groups.size() - most, "other stack")));
    if (!threads.unknown.empty())
      text_ += line_text(style(), counted(threads.unknown.size(), "thread") + " without a stack");
  }

  void locks() {
    if (!report_.locks) return;
    heading("Locks");
    for (const LockVerdict& verdict : report_.locks->verdicts) {
      text_ += line_text(style(), fmt::format("{}: {}", name_of(verdict.kind), verdict_words(*report_.locks, verdict)));
      for (size_t step = 0; step < verdict.steps.size(); ++step)
        text_ += line_text(style(), step_words(*report_.locks, verdict, step), 4);
    }
  }

  void heap() {
    const CrashHeap& heap = report_.heap;
    if (heap.breaks.empty()) return;
    heading(fmt::format("Heap: damaged in {}", counted(heap.breaks.size() + heap.breaks_left_out, "place")));
    for (const HeapBreak& each : heap.breaks)
      text_ += line_text(style(), fmt::format("{:#x}: {}{}", each.chunk, each.what,
                                              each.is_under_change ? " (a thread was at work there)" : ""));
    if (heap.breaks_left_out != 0) text_ += line_text(style(), fmt::format("and {} more", heap.breaks_left_out));
  }

  void program() {
    heading("Program");
    if (!report_.executable.empty()) row("file", printable(report_.executable));
    if (!report_.command.empty()) row("arguments", printable(report_.command));
    std::string pid = std::to_string(report_.pid);
    if (report_.host_pid != 0) pid = fmt::format("{} on the host, {} in its pid namespace", report_.host_pid, pid);
    row("process", fmt::format("{}, {}", pid, counted(report_.threads.all_threads, "thread")));
    if (report_.cpu_time) row("cpu time", fmt::format("{:.2f} s", *report_.cpu_time));
    if (report_.written != 0) row("written", time_words(report_.written));
    std::string_view label = "builds";
    for (const CrashModule& module : report_.modules) {
      std::string name = printable(module.module.path.substr(module.module.path.rfind('/') + 1));
      std::string id = module.module.build_id.empty() ? "no build id" : printable(module.module.build_id);
      row(label, fmt::format("{} {}, {}", name, id, symbols_words(module.symbols)));
      label = "";
      // Lines, and yet something of the debug info is missing.
      if (module.symbols == SymbolQuality::debug_info && !module.note.empty()) row(label, printable(module.note));
    }
    row("bucket", report_.bucket);
    row("hash", report_.hash);
  }

  static std::string time_words(time_t when) {
    tm local{};
    localtime_r(&when, &local);
    return fmt::format("{:%Y-%m-%d %H:%M:%S}, as the core's file has it", local);
  }

  static std::string_view symbols_words(SymbolQuality quality) {
    constexpr std::string_view words[] = {"no symbols", "exported symbols only", "symbols without lines", "lines"};
    return words[static_cast<size_t>(quality)];
  }

  void next() {
    if (report_.next.empty()) return;
    heading("Next");
    for (const std::string& each : report_.next) text_ += line_text(style(), printable(each));
  }

  const CrashReport& report_;
  const CrashTextOptions& options_;
  std::string text_;
};

}  // namespace

std::string crash_as_text(const CrashReport& report, const CrashTextOptions& options) {
  return CrashPage(report, options).print();
}

}  // namespace culprit
