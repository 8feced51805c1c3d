// The console's words about itself.
#include <fmt/format.h>
#include <poll.h>

#include "base/text.h"
#include "model/clock.h"
#include "shell/console_commands.h"
#include "shell/console_session.h"
#include "shell/interrupts.h"
#include "shell/values.h"

namespace culprit {
namespace {

void help(Console& console, const ConsoleLine& line) {
  if (line.rest.empty()) return console.print(console_help());
  const ConsoleCommand* command = find_console_command(split_line(line.rest).word);
  if (command == nullptr)
    return console.complain({ErrorKind::usage, fmt::format("there is no command {}", printable(line.rest))});
  console.print(console_help(*command));
}

void quit(Console& console, const ConsoleLine&) { console.end(); }

void open_log(Console& console, const ConsoleLine& line, bool append) {
  std::vector<std::string> words = line.words();
  std::erase(words, "/t"), std::erase(words, "/u");
  std::string path = words.empty() ? "culprit.log" : words.back();
  if (auto opened = console.log().open(path, append); !opened) return console.complain(opened.error());
  console.print(fmt::format("what is shown goes to {} as well\n", printable(path)));
}

void open_new_log(Console& console, const ConsoleLine& line) { open_log(console, line, false); }
void append_to_log(Console& console, const ConsoleLine& line) { open_log(console, line, true); }

void close_log(Console& console, const ConsoleLine&) {
  std::string path = console.log().path();
  if (!console.log().close()) return console.complain({ErrorKind::usage, "no log is open"});
  console.print(fmt::format("{} is closed\n", printable(path)));
}

void echo(Console& console, const ConsoleLine& line) { console.print(fmt::format("{}\n", printable(line.rest))); }

// Waits in short pieces: a recording's process may end meanwhile, which ends the wait.
void sleep_for(Console& console, const ConsoleLine& line) {
  auto duration = parse_duration(line.rest);
  if (!duration) return console.complain({ErrorKind::usage, "sleep takes a duration: 500ms, 10s, 2min"});
  Time until = monotonic_now() + *duration;
  RecordedHandles* handles = console.session().handles();
  auto goes_on = [&] { return monotonic_now() < until && !was_interrupted(); };
  if (handles != nullptr && handles->is_recording()) {
    handles->session()->wait(goes_on);
    return;
  }
  constexpr Time piece = 50'000'000, millisecond = 1'000'000;
  while (goes_on()) poll(nullptr, 0, static_cast<int>(std::min(piece, until - monotonic_now()) / millisecond + 1));
}

void detach(Console& console, const ConsoleLine&) {
  ConsoleSession& session = console.session();
  if (auto control = session.run_control(); control && (*control)->is_stopped()) {
    if (auto done = (*control)->detach(); !done) console.complain(done.error());
    console.print("it runs on, without breakpoints\n");
    if (session.handles() == nullptr || !session.handles()->is_recording()) return;
  }
  RecordedHandles* handles = session.handles();
  if (handles == nullptr || !handles->is_recording())
    return console.complain({ErrorKind::usage, "nothing holds it: there is nothing to let go"});
  if (auto finished = handles->finish(); !finished) console.complain(finished.error());
  console.print(handles->about_release());
}

void status(Console& console, const ConsoleLine&) { console.print(console.session().status()); }

constexpr ConsoleCommand rows[] = {
    {.subject = "The console",
     .names = "status vertarget ||",
     .usage = "",
     .description = "what is asked, what it died of, what is missing, what is recorded",
     .run = status},
    {.subject = "The console",
     .names = "help .help .hh",
     .usage = "[COMMAND]",
     .description = "what there is to type",
     .run = help},
    {.subject = "The console",
     .names = "sleep .sleep",
     .usage = "DURATION",
     .description = "wait, for scripts: 500ms, 10s, 2min",
     .run = sleep_for},
    {.subject = "The console", .names = ".echo", .usage = "TEXT", .description = "print it", .run = echo},
    {.subject = "The console",
     .names = ".logopen",
     .usage = "[FILE]",
     .description = "put what is shown into FILE (culprit.log) as well",
     .run = open_new_log},
    {.subject = "The console",
     .names = ".logappend",
     .usage = "[FILE]",
     .description = "the same, behind what it holds",
     .run = append_to_log},
    {.subject = "The console", .names = ".logclose", .usage = "", .description = "no longer", .run = close_log},
    {.subject = "The console",
     .names = "detach .detach",
     .usage = "",
     .description = "let the process go; what was recorded can still be asked",
     .run = detach},
    {.subject = "The console",
     .names = "quit q qd qq exit",
     .usage = "",
     .description = "let the process go, and leave",
     .run = quit},
};

}  // namespace

std::span<const ConsoleCommand> console_control_commands() { return rows; }

}  // namespace culprit
