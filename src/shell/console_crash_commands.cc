// Crashes at the console: `culprit crash` on the target, and WinDbg's words for it.
#include <fmt/format.h>

#include "base/text.h"
#include "shell/console_commands.h"
#include "shell/console_session.h"
#include "shell/crash_commands.h"
#include "shell/words.h"

namespace culprit {
namespace {

void ask(Console& console, const std::vector<std::string>& options) {
  auto target = console.session().needed_target();
  if (!target) return console.complain(target.error());
  auto arguments = parse_words(*find_command("crash"), options);
  if (!arguments) return console.complain(arguments.error());
  arguments->operands = {console.session().name()};
  if (answer_crash(**target, *arguments, console.streams()).status == ended_in_failure.status) console.note_complaint();
}

void crash(Console& console, const ConsoleLine& line) { ask(console, line.words()); }

// !analyze [-v|-hang|-f]: a hang is found without being asked for, and the page is of what there is.
void analyze(Console& console, const ConsoleLine& line) {
  std::vector<std::string> options{"--brief"};
  for (const std::string& word : line.words()) {
    if (word != "-v" && word != "-vv" && word != "-hang" && word != "-f")
      return console.complain({ErrorKind::usage, fmt::format("!analyze has no option {}", printable(word))});
    std::erase(options, "--brief");
    if (word == "-vv") options.emplace_back("--all");
  }
  ask(console, options);
}

void exception_context(Console& console, const ConsoleLine&) {
  ConsoleSession& session = console.session();
  auto target = session.needed_target();
  if (!target) return console.complain(target.error());
  uint32_t tid = (*target)->info().signal_tid;
  if (tid == 0)
    return console.complain({ErrorKind::not_found, "no thread died of a signal: there is no context to show"});
  session.make_current(tid);
  console.execute("r");
  console.execute("u @rip L1");
}

constexpr std::string_view subject = "Crashes";
constexpr ConsoleCommand rows[] = {
    {.subject = subject,
     .names = "crash",
     .usage = "[options]",
     .description = "as `culprit crash`: what ended the process, where, why and whose fault",
     .run = crash},
    {.subject = subject,
     .names = "!analyze",
     .usage = "[-v]",
     .description = "the sentence and ten frames; -v all of the page, -vv every frame and thread",
     .run = analyze},
    {.subject = subject,
     .names = ".ecxr .excr",
     .usage = "",
     .description = "make the thread that died of a signal the current one: its registers and the instruction",
     .run = exception_context},
};

}  // namespace

std::span<const ConsoleCommand> console_crash_commands() { return rows; }

}  // namespace culprit
