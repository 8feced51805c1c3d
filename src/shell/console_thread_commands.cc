// Threads: ~ and what can follow it.
#include <fmt/format.h>

#include <algorithm>

#include "analysis/thread_waits.h"
#include "base/text.h"
#include "shell/console_commands.h"
#include "shell/console_session.h"
#include "shell/console_stacks.h"
#include "shell/interrupts.h"
#include "shell/words.h"
#include "view/text_style.h"

namespace culprit {
namespace {

// "~2", "~*", "~~[22f8]" …: which threads, and what follows.
struct ThreadChoice {
  std::vector<uint32_t> tids;
  bool is_all = false;
  std::string_view rest;
};

Result<uint32_t> thread_of_number(ConsoleSession& session, uint64_t number) {
  if (auto tid = session.tid_of(number)) return *tid;
  return fail(ErrorKind::not_found, fmt::format("there is no thread number {}; ~ lists them", number));
}

// "[EXPRESSION]…"
Result<uint64_t> bracketed(ConsoleSession& session, std::string_view& text) {
  size_t close = text.find(']');
  if (!text.starts_with('[') || close == text.npos)
    return fail(ErrorKind::usage, "the number of a thread belongs between [ and ]: ~~[tid]");
  auto value = session.value(text.substr(1, close - 1));
  text.remove_prefix(close + 1);
  return value;
}

Result<uint32_t> chosen_thread(ConsoleSession& session, std::string_view& text) {
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    return session.current_tid();
  }
  if (text.starts_with('#')) {
    text.remove_prefix(1);
    uint32_t tid = session.target()->info().signal_tid;
    if (tid == 0) return fail(ErrorKind::not_found, "no thread died of a signal, or stopped for one");
    return tid;
  }
  if (text.starts_with('~')) {
    text.remove_prefix(1);
    auto tid = bracketed(session, text);
    if (!tid) return tl::unexpected<Error>(std::move(tid).error());
    if (*tid > UINT32_MAX || !session.number_of(static_cast<uint32_t>(*tid)))
      return fail(ErrorKind::not_found,
                  fmt::format("there is no thread with the id {} ({:#x}); ~ lists them", *tid, *tid));
    return static_cast<uint32_t>(*tid);
  }
  if (text.starts_with('[')) {
    auto number = bracketed(session, text);
    if (!number) return tl::unexpected<Error>(std::move(number).error());
    return thread_of_number(session, *number);
  }
  size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  constexpr size_t most_digits = 9;
  uint64_t number = 0;
  for (char c : text.substr(0, std::min(digits, most_digits))) number = number * 10 + static_cast<uint64_t>(c - '0');
  if (digits == 0 || digits > most_digits)
    return fail(ErrorKind::usage,
                fmt::format("'{}' names no thread: ~ lists all, ~2 or ~~[tid] one, ~* means all", printable(text)));
  text.remove_prefix(digits);
  return thread_of_number(session, number);
}

Result<ThreadChoice> choose_threads(ConsoleSession& session, std::string_view text,
                                    const std::vector<TargetThread>& threads) {
  ThreadChoice choice;
  text = trimmed(text);
  if (text.empty() || text.starts_with('*')) {
    for (const TargetThread& thread : threads) choice.tids.push_back(thread.tid);
    choice.is_all = true;
    if (!text.empty()) text.remove_prefix(1);
  } else {
    auto tid = chosen_thread(session, text);
    if (!tid) return tl::unexpected<Error>(std::move(tid).error());
    choice.tids = {*tid};
  }
  choice.rest = trimmed(text);
  return choice;
}

std::string thread_line(ConsoleSession& session, const TargetThread& thread) {
  const TargetInfo& info = session.target()->info();
  char mark = thread.tid == session.current_tid() ? '.' : thread.tid == info.signal_tid ? '#' : ' ';
  std::string name = thread.name.empty() ? "" : fmt::format("\"{}\"", printable(thread.name));
  std::string line =
      fmt::format("{} {:>3}  Id: {:x}.{:x}  tid {:<7} {} {}", mark, session.number_of(thread.tid).value_or(0), info.pid,
                  thread.tid, thread.tid, thread.state, name);
  // What its stack would tell, too, takes longer: `stacks` does.
  std::string waits = wait_in_words(thread, {}, [](uint64_t) { return std::string(); });
  constexpr size_t waits_from = 50;
  return waits.empty() ? line + "\n" : fmt::format("{} {}\n", padded(line, waits_from), printable(waits));
}

void make_current(Console& console, uint32_t tid) {
  ConsoleSession& session = console.session();
  session.make_current(tid);
  auto thread = session.current_thread();
  if (!thread) return console.complain(thread.error());
  std::string text = thread_line(session, *thread);
  if (thread->known != RegistersKnown::none) {
    std::string where = session.words()(thread->registers.rip);
    text += fmt::format("       {:016x} {}\n", thread->registers.rip, printable(where));
  }
  console.print(text);
}

// A command for each of the threads, which is the current one meanwhile.
void execute_for(Console& console, const ThreadChoice& choice, std::string_view command) {
  ConsoleSession& session = console.session();
  uint32_t before = session.current_tid();
  for (uint32_t tid : choice.tids) {
    if (was_interrupted() || console.has_ended()) break;
    session.make_current(tid);
    if (choice.tids.size() > 1)
      console.print(fmt::format("thread {} (tid {}):\n", session.number_of(tid).value_or(0), tid));
    console.execute(command);
  }
  session.make_current(before);
}

void threads(Console& console, const ConsoleLine& line) {
  ConsoleSession& session = console.session();
  auto found = session.threads(ThreadWish::names_and_waits);
  if (!found) return console.complain(found.error());
  auto choice = choose_threads(session, line.rest, *found);
  if (!choice) return console.complain(choice.error());
  std::string_view rest = choice->rest;
  if (rest.empty()) {
    std::string text;
    for (const TargetThread& thread : *found)
      if (std::ranges::find(choice->tids, thread.tid) != choice->tids.end()) text += thread_line(session, thread);
    return console.print(text);
  }
  if (rest == "s") {
    if (choice->tids.size() != 1) return console.complain({ErrorKind::usage, "only one thread can be the current one"});
    return make_current(console, choice->tids[0]);
  }
  ConsoleLine command = split_line(rest);
  if (is_stack_word(command.word)) return print_stacks(console, command, choice->tids);
  if (command.word == "e") return execute_for(console, *choice, command.rest);
  bool is_breakpoint = command.word == "bp" || command.word == "bu" || command.word == "bm";
  if (is_breakpoint && choice->is_all) return (void)console.execute(rest);
  if (is_breakpoint)
    return (void)console.execute(fmt::format("{} /t {} {}", command.word, choice->tids[0], command.rest));
  execute_for(console, *choice, rest);
}

constexpr std::string_view subject = "Threads and stacks";
constexpr ConsoleCommand rows[] = {
    {.subject = subject,
     .names = "~",
     .usage = "[N|.|#|*|~[TID]][s|k…|e COMMAND]",
     .description =
         "threads; of one (by its number, the current one, the one that died, all, by its id) s makes it the "
         "current one, k… shows its stack, e COMMAND does that for it: ~*k, ~2s, ~~[22f8]s, ~3e r rip",
     .run = threads},
};

}  // namespace

std::span<const ConsoleCommand> console_thread_commands() { return rows; }

}  // namespace culprit
