// Locks at the console: `culprit locks` on the target, and WinDbg's words for it.
#include <fmt/format.h>

#include "base/text.h"
#include "shell/console_commands.h"
#include "shell/console_session.h"
#include "shell/lock_commands.h"
#include "shell/words.h"

namespace culprit {
namespace {

// The session's target with its symbols, as it stands if the console holds it.
void ask(Console& console, std::vector<std::string> options) {
  ConsoleSession& session = console.session();
  auto target = session.needed_target();
  if (!target) return console.complain(target.error());
  auto control = session.run_control();
  bool is_held = control && (*control)->is_stopped();
  if (is_held) options.emplace_back("--no-wait");
  auto arguments = parse_words(*find_command("locks"), options);
  if (!arguments) return console.complain(arguments.error());
  if (arguments->has("--executable"))
    return console.complain({ErrorKind::usage, "--executable belongs to the command line, where the target is opened"});
  arguments->operands = {session.name()};
  std::string note = is_held ? "all threads are held here: what waits only for a moment looks like what is stuck" : "";
  Ending ending = answer_locks(**target, *arguments, console.streams(), session.symbols(), note);
  if (ending.status == ended_in_failure.status) console.note_complaint();
}

void locks(Console& console, const ConsoleLine& line) { ask(console, line.words()); }

void deadlock(Console& console, const ConsoleLine&) { ask(console, {}); }

// !locks [-v]
void all_locks(Console& console, const ConsoleLine& line) {
  std::vector<std::string> words = line.words();
  if (words.empty()) return ask(console, {});
  if (words != std::vector<std::string>{"-v"})
    return console.complain({ErrorKind::usage, fmt::format("!locks has no option {}", printable(words[0]))});
  ask(console, {"--all"});
}

// What WinDbg's !cs has, and nothing here can know.
std::string_view why(std::string_view option) {
  if (option == "-s") return ": where a lock was initialised is recorded nowhere";
  if (option == "-d") return ": locks have no debug information of their own; give the lock's address";
  if (option == "-t") return ": no tree of locks is kept; locks shows who waits for whom";
  return "";
}

// !cs [-l] [-o] [ADDRESS]: locked ones; their owners' stacks; one.
void critical_sections(Console& console, const ConsoleLine& line) {
  std::vector<std::string> options{"--all"};
  std::string_view rest = line.rest;
  while (rest.starts_with('-')) {
    std::string_view option = rest.substr(0, rest.find(' '));
    if (option != "-l" && option != "-o")
      return console.complain(
          {ErrorKind::usage, fmt::format("!cs has no option {}{}", printable(option), why(option))});
    if (option == "-l") std::erase(options, "--all");
    rest.remove_prefix(option.size());
    rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
    if (option == "-o" && options.empty()) options.emplace_back("--all");
  }
  if (!rest.empty()) {
    auto address = console.session().value(rest);
    if (!address) return console.complain(address.error());
    options.insert(options.end(), {"--address", fmt::format("{:#x}", *address)});
  }
  ask(console, options);
}

constexpr std::string_view subject = "Locks";
constexpr ConsoleCommand rows[] = {
    {.subject = subject,
     .names = "locks",
     .usage = "[options]",
     .description = "as `culprit locks`: who holds, who waits, deadlocks",
     .run = locks},
    {.subject = subject, .names = "!deadlock", .usage = "", .description = "the same", .run = deadlock},
    {.subject = subject,
     .names = "!locks",
     .usage = "[-v]",
     .description = "the same; -v every lock and wait that is known",
     .run = all_locks},
    {.subject = subject,
     .names = "!cs",
     .usage = "[-l] [-o] [ADDRESS]",
     .description = "every lock that is known; -l those that somebody waits for, -o with whole stacks; or one",
     .run = critical_sections},
};

}  // namespace

std::span<const ConsoleCommand> console_lock_commands() { return rows; }

}  // namespace culprit
