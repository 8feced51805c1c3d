#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "view/answer_text.h"
#include "view/lock_views.h"
#include "view/lock_words.h"
#include "view/stack_text.h"
#include "view/totals_text.h"

namespace culprit {

namespace {

constexpr size_t most_steps = 12, most_behind = 6, most_verdicts = 10;

Ink ink_of(LockVerdictKind kind) { return kind <= LockVerdictKind::owner_gone ? Ink::bad : Ink::warning; }

class LockText {
 public:
  LockText(const LockReport& report, const LockTextOptions& options)
      : report_(report), style_(options.style), all_(options.all) {}

  std::string print() {
    if (report_.asked) print_asked(report_.locks[*report_.asked]);
    const size_t shown_verdicts = all_ ? report_.verdicts.size() : std::min(report_.verdicts.size(), most_verdicts);
    for (size_t at = 0; at < shown_verdicts; at++) print_verdict(report_.verdicts[at]);
    if (shown_verdicts < report_.verdicts.size())
      line(fmt::format("and {} more, with --all", counted(report_.verdicts.size() - shown_verdicts, "verdict")), 0);
    if (report_.verdicts.empty() && !report_.asked) line(inked(style_, Ink::good, calm_words(report_)), 0);
    if (all_ && !report_.asked) print_locks();
    print_basis();
    return std::move(text_);
  }

 private:
  void line(std::string_view words, size_t indent) { text_ += line_text(style_, words, indent); }

  void print_verdict(const LockVerdict& verdict) {
    line(fmt::format("{} {}", inked(style_, ink_of(verdict.kind), fmt::format("{}:", name_of(verdict.kind))),
                     verdict_words(report_, verdict)),
         0);
    text_ += "\n";
    const size_t steps = all_ ? verdict.steps.size() : std::min(verdict.steps.size(), most_steps);
    for (size_t at = 0; at < steps; at++) print_step(verdict, at);
    if (steps < verdict.steps.size())
      line(fmt::format("and {} more, with --all", counted(verdict.steps.size() - steps, "thread")), 2);
    for (const LockStep& step : verdict.steps)
      if (step.waits_for && !report_.locks[report_.waits[*step.waits_for].lock].owner_note.empty())
        line(printable(report_.locks[report_.waits[*step.waits_for].lock].owner_note), 2);
    print_behind(verdict);
    text_ += "\n";
  }

  void print_step(const LockVerdict& verdict, size_t at) {
    line(step_words(report_, verdict, at), 2);
    const LockStep& step = verdict.steps[at];
    if (step.holds && report_.locks[*step.holds].taken)
      line(inked(style_, Ink::faint, evidence_words(*report_.locks[*step.holds].taken)), 4);
    if (!step.where.frames.empty())
      text_ += stack_text(step.where, {.style = style_, .indent = 4, .details = all_, .source = false});
  }

  void print_behind(const LockVerdict& verdict) {
    if (verdict.behind.empty()) return;
    std::string words = "behind them: ";
    const size_t shown_threads = all_ ? verdict.behind.size() : std::min(verdict.behind.size(), most_behind);
    for (size_t at = 0; at < shown_threads; at++)
      words += fmt::format("{}{}", at == 0 ? "" : ", ", thread_words(verdict.behind[at]));
    if (shown_threads < verdict.behind.size())
      words += fmt::format(" and {} more", with_thousands(verdict.behind.size() - shown_threads));
    line(words, 2);
  }

  void print_asked(const LockInfo& lock) {
    const std::string state = lock_state_words(lock);
    line(fmt::format("{}{}{}", inked(style_, Ink::strong, lock_words(lock)), state.empty() ? "" : ": ", state), 0);
    if (lock.lock.address != 0 && !lock.name.empty())
      line(fmt::format("at {:#x} in {}", lock.lock.address, shown(lock.module, 60)), 2);
    if (lock.waits.empty()) line("nobody waits for it", 2);
    for (size_t wait : lock.waits) print_waiter(report_.waits[wait]);
    text_ += "\n";
  }

  void print_waiter(const LockWait& wait) {
    std::string words = thread_words(wait.thread);
    words += wait.seconds_waited ? " has waited for " + duration_in_words(*wait.seconds_waited) : " waits";
    if (wait.mode != WaitMode::lock) words += fmt::format(" to {}", name_of(wait.mode));
    if (wait.seconds_left) {
      words += fmt::format(", gives up in {}", duration_in_words(*wait.seconds_left));
    } else if (wait.is_timed) {
      words += ", with a timeout";
    }
    if (!wait.is_still && report_.seconds_between != 0) words += ", for a moment";
    if (!wait.where.frames.empty()) words += " in " + stack_phrase(wait.where, 2 * style_.columns, style_.unicode);
    line(words, 2);
  }

  void print_locks() {
    for (const LockInfo& lock : report_.locks) {
      const std::string state = lock_state_words(lock);
      line(fmt::format("{}{}{}", inked(style_, Ink::name, lock_words(lock)), state.empty() ? "" : ": ", state), 0);
      for (size_t wait : lock.waits) print_waiter(report_.waits[wait]);
    }
    if (!report_.locks.empty()) text_ += "\n";
  }

  void print_basis() {
    std::string words = report_.is_live ? fmt::format("pid {}", report_.pid) : shown(report_.target, 48);
    words += fmt::format(": {}, {} in {}", counted(report_.threads, "thread"), counted(report_.waits.size(), "wait"),
                         counted(report_.locks.size(), "place"));
    if (report_.is_live)
      words += report_.seconds_between == 0
                   ? "; one look"
                   : fmt::format("; two looks {} apart, {} had moved", duration_in_words(report_.seconds_between),
                                 with_thousands(report_.moved));
    if (report_.is_live)
      words += report_.longest_stop == 0 ? "; no thread was stopped"
                                         : fmt::format("; a thread was stopped for {:.1f} ms at most",
                                                       static_cast<double>(report_.longest_stop) / 1e6);
    line(inked(style_, Ink::faint, words), 0);
    for (const std::string& note : report_.notes) line(printable(note), 0);
    if (!report_.exact || !report_.losses.empty()) text_ += losses_text(report_.losses, style_);
  }

  const LockReport& report_;
  const TextStyle& style_;
  const bool all_;
  std::string text_;
};

}  // namespace

std::string locks_as_text(const LockReport& report, const LockTextOptions& options) {
  return LockText(report, options).print();
}

}  // namespace culprit
