// Running the target: breakpoints, g, p, t, gu.
#include <fmt/format.h>
#include <string.h>
#include <strings.h>

#include <algorithm>
#include <csignal>

#include "base/text.h"
#include "shell/console_commands.h"
#include "shell/console_session.h"
#include "shell/interrupts.h"
#include "shell/run_control.h"
#include "shell/values.h"
#include "shell/words.h"

namespace culprit {
namespace {

RunControl* control_of(Console& console) {
  auto control = console.session().run_control();
  if (control) return *control;
  console.complain(control.error());
  return nullptr;
}

// ---- g

// "10s": nothing, if it is no duration.
std::optional<Time> duration_in(std::string_view text) {
  return text.empty() ? std::optional<Time>(0) : parse_duration(text);
}

void go(Console& console, const ConsoleLine& line) {
  RunControl* control = control_of(console);
  if (control == nullptr || control->go_on_after_commands()) return;
  if (auto duration = duration_in(line.rest)) return control->go(console, *duration);
  std::string_view rest;
  auto address = console.session().leading_value(line.rest, rest);
  if (!address) return console.complain(address.error());
  auto duration = duration_in(trimmed(rest));
  if (!duration)
    return console.complain({ErrorKind::usage, fmt::format("'{}' is no duration: 500ms, 10s, 2min", printable(rest))});
  control->go_to(console, *address, *duration);
}

// Without the signal that the current thread stopped for.
void go_handled(Console& console, const ConsoleLine& line) {
  RunControl* control = control_of(console);
  if (control == nullptr) return;
  auto debuggee = control->debuggee();
  if (!debuggee) return console.complain(debuggee.error());
  if (auto done = (*debuggee)->set_signal(console.session().current_tid(), 0); !done)
    return console.complain(done.error());
  go(console, line);
}

void go_up(Console& console, const ConsoleLine& line) {
  RunControl* control = control_of(console);
  if (control == nullptr) return;
  auto duration = duration_in(line.rest);
  if (!duration) return console.complain({ErrorKind::usage, "gu takes a duration or nothing: gu 10s"});
  control->go_up(console, *duration);
}

void step(Console& console, const ConsoleLine& line, bool over) {
  RunControl* control = control_of(console);
  if (control == nullptr) return;
  uint64_t count = 1;
  if (!line.rest.empty()) {
    auto value = console.session().value(line.rest);
    if (!value) return console.complain(value.error());
    count = *value;
  }
  control->step(console, over, count);
}
void step_into(Console& console, const ConsoleLine& line) { step(console, line, false); }
void step_over(Console& console, const ConsoleLine& line) { step(console, line, true); }

void break_in(Console& console, const ConsoleLine&) {
  RunControl* control = control_of(console);
  if (control == nullptr) return;
  bool was_stopped = control->is_stopped();
  if (auto debuggee = control->debuggee(); !debuggee) return console.complain(debuggee.error());
  console.print(was_stopped ? "all threads stand already\n" : "all threads stand; g lets them run on\n");
}

// ---- signals

std::optional<int> signal_named(std::string_view name) {
  if (auto number = parse_count(name); number && *number < 65) return static_cast<int>(*number);
  std::string bare(name);
  if (strncasecmp(bare.c_str(), "sig", 3) == 0) bare.erase(0, 3);
  for (int signal = 1; signal < 65; signal++) {
    const char* known = sigabbrev_np(signal);
    if (known != nullptr && strcasecmp(known, bare.c_str()) == 0) return signal;
  }
  return {};
}

void stop_at_signal(Console& console, const ConsoleLine& line, bool does) {
  RunControl* control = control_of(console);
  if (control == nullptr) return;
  auto signal = signal_named(line.rest);
  if (!signal)
    return console.complain(
        {ErrorKind::usage, fmt::format("'{}' is no signal: sxe usr1, sxd segv", printable(line.rest))});
  auto debuggee = control->debuggee();
  if (!debuggee) return console.complain(debuggee.error());
  if (auto done = (*debuggee)->stop_at_signal(*signal, does); !done) console.complain(done.error());
}
void enable_signal(Console& console, const ConsoleLine& line) { stop_at_signal(console, line, true); }
void disable_signal(Console& console, const ConsoleLine& line) { stop_at_signal(console, line, false); }

// ---- breakpoints

std::string about_breakpoint(const ConsoleBreakpoint& breakpoint, const BreakpointState* state) {
  std::string place = breakpoint.id == 0 ? fmt::format("{} (not loaded yet)", breakpoint.line.where) : breakpoint.name;
  if (place.empty()) place = fmt::format("{:#x}", breakpoint.address);
  std::string text = fmt::format("{:>2} {} {:016x} {}", breakpoint.number, breakpoint.is_enabled ? 'e' : 'd',
                                 breakpoint.address, printable(place));
  uint64_t hits = breakpoint.earlier_hits, matches = breakpoint.earlier_matches;
  if (state != nullptr) hits += state->hits, matches += state->matches;
  if (state != nullptr || hits != 0) text += fmt::format("  {}", counted(hits, "hit"));
  if (hits != matches) text += fmt::format(", {}", counted(matches, "match", "matches"));
  if (breakpoint.line.passes > 1) text += fmt::format("  stops from number {} on", breakpoint.line.passes);
  if (breakpoint.line.is_one_shot) text += "  once";
  if (breakpoint.line.tid != 0) text += fmt::format("  tid {}", breakpoint.line.tid);
  if (!breakpoint.line.commands.empty()) text += fmt::format("\n     \"{}\"", printable(breakpoint.line.commands));
  return text + "\n";
}

void list(Console& console, const ConsoleLine&) {
  RunControl* control = control_of(console);
  if (control == nullptr) return;
  auto states = control->states();
  std::string text;
  for (const ConsoleBreakpoint& breakpoint : control->breakpoints()) {
    const BreakpointState* state = nullptr;
    if (states) {
      auto found = std::ranges::find(*states, breakpoint.id, &BreakpointState::id);
      if (found != states->end()) state = &*found;
    }
    text += about_breakpoint(breakpoint, state);
  }
  console.print(text.empty() ? "there are no breakpoints\n" : text);
}

void add(Console& console, const ConsoleLine& line, bool is_by_name) {
  RunControl* control = control_of(console);
  if (control == nullptr) return;
  auto parsed = parse_breakpoint_line(line.rest, console.session().radix());
  if (!parsed) return console.complain(parsed.error());
  if (parsed->tid != 0 && !console.session().number_of(parsed->tid))
    return console.complain(
        {ErrorKind::not_found, fmt::format("there is no thread with the id {}; ~ lists them", parsed->tid)});
  if (auto stopped = control->debuggee(); !stopped) return console.complain(stopped.error());
  if (parsed->where.empty()) parsed->where = "@rip";
  ConsoleBreakpoint breakpoint{.line = std::move(*parsed), .is_by_name = is_by_name};
  auto number = control->add(breakpoint);
  bool is_waited_for = !is_by_name && !number && number.error().kind == ErrorKind::not_found &&
                       breakpoint.line.where.find_first_of("@(+") == std::string::npos;
  if (is_waited_for) {  // as WinDbg: the library may come yet
    breakpoint.is_by_name = true;
    if (auto again = control->add(breakpoint)) number = again;
  }
  if (!number) return console.complain(number.error());
  if (control->breakpoints().back().id == 0)
    console.print(fmt::format("breakpoint {}: {} is in no library yet; it is set when one with it is loaded\n", *number,
                              printable(breakpoint.line.where)));
}
void set(Console& console, const ConsoleLine& line) { add(console, line, false); }
void set_by_name(Console& console, const ConsoleLine& line) { add(console, line, true); }

// bm MODULE!GLOB: one for each function.
void set_matching(Console& console, const ConsoleLine& line) {
  constexpr size_t most = 200;
  RunControl* control = control_of(console);
  if (control == nullptr) return;
  auto parsed = parse_breakpoint_line(line.rest, console.session().radix());
  if (!parsed) return console.complain(parsed.error());
  size_t mark = parsed->where.find('!');
  if (mark == std::string::npos) return console.complain({ErrorKind::usage, "bm takes MODULE!PATTERN: bm libc!mem*"});
  auto found = console.session().names().find(parsed->where.substr(0, mark), parsed->where.substr(mark + 1), most + 1,
                                              [] { return !was_interrupted(); });
  if (found.symbols.size() > most)
    return console.complain({ErrorKind::limit, fmt::format("more than {} functions are called so", most)});
  if (found.symbols.empty())
    return console.complain({ErrorKind::not_found, fmt::format("nothing is called {}", printable(parsed->where))});
  for (const TargetNames::Found& each : found.symbols) {
    ConsoleBreakpoint breakpoint{.line = *parsed, .address = each.address};
    auto number = control->add(std::move(breakpoint));
    if (!number)
      console.complain(number.error());
    else
      console.print(about_breakpoint(control->breakpoints().back(), nullptr));
  }
}

// "0 2-4 *"
void for_each_named(Console& console, std::string_view text,
                    const std::function<Result<void>(RunControl&, uint32_t)>& what) {
  RunControl* control = control_of(console);
  if (control == nullptr) return;
  std::vector<uint32_t> numbers;
  for (const std::string& word : split_words(text)) {
    if (word == "*") {
      for (const ConsoleBreakpoint& each : control->breakpoints()) numbers.push_back(each.number);
      continue;
    }
    size_t dash = word.find('-');
    auto number_in = [](std::string_view digits) {
      return digits == "0" ? std::optional<uint64_t>(0) : parse_count(digits);
    };
    auto first = number_in(word.substr(0, dash));
    auto last = dash == std::string::npos ? first : number_in(word.substr(dash + 1));
    if (!first || !last || *last < *first || *last - *first > most_breakpoints)
      return console.complain({ErrorKind::usage, fmt::format("'{}' is no breakpoint: 2, 2-4 or *", printable(word))});
    for (uint64_t number = *first; number <= *last; number++) numbers.push_back(static_cast<uint32_t>(number));
  }
  if (numbers.empty() && trimmed(text) != "*")
    return console.complain({ErrorKind::usage, "which breakpoint? 2, 2-4 or *"});
  for (uint32_t number : numbers) {
    if (auto done = what(*control, number); !done) console.complain(done.error());
  }
}
void clear(Console& console, const ConsoleLine& line) {
  for_each_named(console, line.rest, [](RunControl& control, uint32_t number) { return control.remove(number); });
}
void disable(Console& console, const ConsoleLine& line) {
  for_each_named(console, line.rest,
                 [](RunControl& control, uint32_t number) { return control.enable(number, false); });
}
void enable(Console& console, const ConsoleLine& line) {
  for_each_named(console, line.rest, [](RunControl& control, uint32_t number) { return control.enable(number, true); });
}

constexpr std::string_view subject = "Running it";
constexpr ConsoleCommand rows[] = {
    {.subject = subject,
     .names = "g gc gn",
     .usage = "[ADDRESS] [DURATION]",
     .description = "let it run until something happens, it comes to ADDRESS, DURATION is over or Ctrl-C is pressed",
     .run = go},
    {.subject = subject,
     .names = "gh",
     .usage = "[DURATION]",
     .description = "the same, without delivering the signal that the thread stopped for",
     .run = go_handled},
    {.subject = subject,
     .names = "gu",
     .usage = "[DURATION]",
     .description = "until the thread's function has returned",
     .run = go_up},
    {.subject = subject,
     .names = "p",
     .usage = "[COUNT]",
     .description = "one instruction; of a call, all that is called",
     .run = step_over,
     .repeats = true},
    {.subject = subject,
     .names = "t",
     .usage = "[COUNT]",
     .description = "one instruction, while all other threads stand",
     .run = step_into,
     .repeats = true},
    {.subject = subject, .names = "break", .usage = "", .description = "stop all threads", .run = break_in},
    {.subject = subject,
     .names = "bp",
     .usage = "[/1] [/t TID] [ADDRESS] [N] [\"COMMANDS\"]",
     .description = "stop there, from the Nth time on, only thread TID (~2 bp: number 2), and execute COMMANDS: bp "
                    "malloc \"j (@rdi == 0n100) 'k'; 'gc'\"",
     .run = set},
    {.subject = subject,
     .names = "bu",
     .usage = "[/1] [/t TID] NAME [N] [\"COMMANDS\"]",
     .description = "the same for a function of a library that is not loaded yet, or anew",
     .run = set_by_name},
    {.subject = subject,
     .names = "bm",
     .usage = "MODULE!PATTERN [N] [\"COMMANDS\"]",
     .description = "for each function called so",
     .run = set_matching},
    {.subject = subject,
     .names = "bl",
     .usage = "",
     .description = "the breakpoints, and how often each was met",
     .run = list},
    {.subject = subject, .names = "bc", .usage = "N… | *", .description = "remove breakpoints", .run = clear},
    {.subject = subject, .names = "bd", .usage = "N… | *", .description = "disable them", .run = disable},
    {.subject = subject, .names = "be", .usage = "N… | *", .description = "enable them again", .run = enable},
    {.subject = subject,
     .names = "sxe",
     .usage = "SIGNAL",
     .description = "stop before a signal is delivered (so from the beginning: SEGV BUS ILL FPE ABRT TRAP SYS)",
     .run = enable_signal},
    {.subject = subject, .names = "sxd sxi sxn", .usage = "SIGNAL", .description = "do not", .run = disable_signal},
};

}  // namespace

std::span<const ConsoleCommand> console_run_commands() { return rows; }

}  // namespace culprit
