#include "shell/console_stacks.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "analysis/target_stacks.h"
#include "base/glob.h"
#include "base/text.h"
#include "shell/console_commands.h"
#include "shell/interrupts.h"
#include "shell/stack_lines.h"
#include "shell/thread_commands.h"
#include "shell/words.h"
#include "symbols/function_name.h"
#include "view/text_style.h"

namespace culprit {
namespace {

// Of these threads; of all: an empty list.
Result<std::vector<TakenStack>> take_stacks(ConsoleSession& session, std::span<const uint32_t> tids) {
  auto threads = session.threads(ThreadWish::stacks);
  if (!threads) return tl::unexpected<Error>(std::move(threads).error());
  std::erase_if(*threads, [&](const TargetThread& thread) {
    return !tids.empty() && std::ranges::find(tids, thread.tid) == tids.end();
  });
  SymbolLookup lookup = session.lookup();
  TargetStacks stacks(*session.target(), lookup);
  std::vector<WalkedStack> walked = stacks.walk_all(*threads);
  std::vector<ReportStack> reports = stacks.report(walked);
  std::vector<TakenStack> taken;
  for (size_t i = 0; i < threads->size(); ++i)
    taken.push_back({std::move((*threads)[i]), std::move(walked[i]), std::move(reports[i])});
  return taken;
}

// The letters behind k, and the number of frames.
Result<StackOptions> parse_options(ConsoleSession& session, const ConsoleLine& line) {
  StackOptions options;
  for (char letter : line.word.substr(1)) {
    if (letter == 'c') options.names_only = true;
    if (letter == 'n') options.numbers = true;
    if (letter == 'L') options.source = false;
    if (letter == 'v') options.how_found = true;
    if (letter == 'f') options.sizes = true;
    if (letter == 'b' || letter == 'p' || letter == 'P' || letter == 'v') options.arguments = true;
  }
  if (line.rest.empty()) return options;
  auto most = session.value(line.rest);
  if (!most) return tl::unexpected<Error>(std::move(most).error());
  options.most = *most;
  return options;
}

// 0: no terminal.
size_t columns_of(Console& console) {
  TextStyle style = style_of(console.streams().output);
  return style.terminal ? style.columns : 0;
}

std::string thread_heading(ConsoleSession& session, const TargetThread& thread) {
  std::string name = thread.name.empty() ? "" : fmt::format(" \"{}\"", printable(thread.name));
  return fmt::format("{} {:>3}  Id: {:x}.{:x}  tid {} {}{}\n", thread.tid == session.current_tid() ? '.' : ' ',
                     session.number_of(thread.tid).value_or(0), session.target()->info().pid, thread.tid, thread.tid,
                     thread.state, name);
}

void own_stack(Console& console, const ConsoleLine& line) {
  uint32_t current[] = {console.session().current_tid()};
  print_stacks(console, line, current);
}

// "module!function", "module" or "function", of which the beginning is enough.
bool is_found(std::string_view pattern, const ReportFrame& frame) {
  size_t mark = pattern.find('!');
  std::string module = module_of(frame), function = qualified_name(frame.function);
  std::string name(mark == pattern.npos ? pattern : pattern.substr(mark + 1));
  bool has_function = !function.empty() && glob_matches(name + "*", function);
  if (mark != pattern.npos) return glob_matches(pattern.substr(0, mark), module) && (name.empty() || has_function);
  return has_function || glob_matches(pattern, module);
}

// !findstack SYMBOL [0|1|2]
void find_stacks(Console& console, const ConsoleLine& line) {
  ConsoleSession& session = console.session();
  std::vector<std::string> words = line.words();
  std::string level = words.size() > 1 ? words[1] : "1";
  if (words.empty() || words.size() > 2 || level.size() != 1 || level[0] < '0' || level[0] > '2')
    return console.complain({ErrorKind::usage,
                             "!findstack takes MODULE!FUNCTION, of which the beginning is enough, and "
                             "0 (threads), 1 (frames) or 2 (whole stacks)"});
  auto stacks = take_stacks(session, {});
  if (!stacks) return console.complain(stacks.error());
  size_t columns = columns_of(console), threads = 0;
  std::string text;
  for (const TakenStack& stack : *stacks) {
    std::vector<StackLine> lines = stack_lines(stack, {}, columns > 11 ? columns - 11 : 0);
    auto matches = std::ranges::count_if(lines, [&](const StackLine& each) { return is_found(words[0], *each.frame); });
    if (matches == 0) continue;
    ++threads;
    text += fmt::format("Thread {:03} (tid {}{}), {} frame(s) match\n", session.number_of(stack.thread.tid).value_or(0),
                        stack.thread.tid,
                        stack.thread.name.empty() ? "" : fmt::format(" \"{}\"", printable(stack.thread.name)), matches);
    for (const StackLine& each : lines) {
      bool is_match = is_found(words[0], *each.frame);
      if (level == "0" || (level == "1" && !is_match)) continue;
      text += fmt::format("      {} {:02} {}\n", is_match ? '*' : ' ', each.number, each.text);
    }
    if (level != "0") text += "\n";
  }
  text +=
      fmt::format("{} of {} have {} on their stack\n", threads, counted(stacks->size(), "thread"), printable(words[0]));
  console.print(text);
}

// !uniqstack [-b|-v|-p] [-n]
void unique_stacks(Console& console, const ConsoleLine& line) {
  ConsoleSession& session = console.session();
  StackOptions options;
  for (const std::string& word : line.words()) {
    if (word == "-n") options.numbers = true;
    if (word == "-v") options.how_found = true;
    if (word == "-b" || word == "-p" || word == "-v") options.arguments = true;
    if (word != "-n" && word != "-v" && word != "-b" && word != "-p")
      return console.complain({ErrorKind::usage, fmt::format("!uniqstack has no option {}", printable(word))});
  }
  auto stacks = take_stacks(session, {});
  if (!stacks) return console.complain(stacks.error());
  std::map<std::vector<uint64_t>, std::vector<const TakenStack*>> groups;
  for (const TakenStack& stack : *stacks) {
    std::vector<uint64_t> addresses;
    for (const WalkedFrame& frame : stack.walked.frames) addresses.push_back(frame.address);
    // What is not known is not known to be equal.
    if (addresses.empty()) addresses = {0, stack.thread.tid};
    groups[addresses].push_back(&stack);
  }
  std::vector<const std::vector<const TakenStack*>*> order;
  for (const auto& [addresses, members] : groups) order.push_back(&members);
  std::ranges::stable_sort(order, std::greater(), [](const auto* members) { return members->size(); });
  size_t columns = columns_of(console), duplicates = stacks->size() - groups.size();
  std::string text, repeated;
  for (const auto* members : order) {
    text += thread_heading(session, members->front()->thread);
    if (members->size() > 1) text += fmt::format("       and {} more with the same stack\n", members->size() - 1);
    text += stack_text(*members->front(), options, columns) + "\n";
    for (size_t i = 1; i < members->size(); ++i)
      repeated += fmt::format(" {}", session.number_of((*members)[i]->thread.tid).value_or(0));
  }
  text += fmt::format("Total threads: {}\n", stacks->size());
  if (duplicates != 0)
    text += fmt::format("Duplicate callstacks: {} (thread numbers follow):\n{}\n", duplicates,
                        wrapped(repeated, style_of(console.streams().output).columns, 0, 1));
  console.print(text);
}

void all_stacks(Console& console, const ConsoleLine& line) {
  auto target = console.session().needed_target();
  if (!target) return console.complain(target.error());
  auto arguments = parse_words(*find_command("stacks"), line.words());
  if (!arguments) return console.complain(arguments.error());
  arguments->operands = {console.session().name()};
  if (answer_stacks(**target, *arguments, console.streams(), console.session().symbols()).status ==
      ended_in_failure.status)
    console.note_complaint();
}

constexpr std::string_view subject = "Threads and stacks";
constexpr ConsoleCommand rows[] = {
    {.subject = subject,
     .names = "stacks",
     .usage = "[options]",
     .description = "as `culprit stacks`: what all threads do, equal stacks folded",
     .run = all_stacks},
    {.subject = subject,
     .names = "k kn kv kb kp kc kf kL",
     .usage = "[COUNT]",
     .description = "the stack of the current thread, COUNT frames of it; n numbers, f how large frames are, b and p "
                    "what is known of arguments, v that and how each frame was found, c names alone, L no source, in "
                    "any combination",
     .run = own_stack,
     .takes = is_stack_word},
    {.subject = subject,
     .names = "!findstack",
     .usage = "SYMBOL [0|1|2]",
     .description = "threads that have a function (its name may be cut off) or module on their stack; 0 threads, 1 "
                    "frames, 2 whole stacks",
     .run = find_stacks},
    {.subject = subject,
     .names = "!uniqstack",
     .usage = "[-v] [-n]",
     .description = "each stack once, with the threads that have it",
     .run = unique_stacks},
};

}  // namespace

bool is_stack_word(std::string_view word) {
  return word.starts_with('k') && word.find_first_not_of("bpPvcnfL", 1) == word.npos;
}

void print_stacks(Console& console, const ConsoleLine& line, std::span<const uint32_t> tids) {
  ConsoleSession& session = console.session();
  auto options = parse_options(session, line);
  if (!options) return console.complain(options.error());
  auto stacks = take_stacks(session, tids);
  if (!stacks) return console.complain(stacks.error());
  if (stacks->empty()) return console.complain({ErrorKind::gone, "the thread is no more; ~ lists those there are"});
  size_t columns = columns_of(console);
  std::string text;
  for (const TakenStack& stack : *stacks) {
    if (tids.size() > 1) text += thread_heading(session, stack.thread);
    text += stack_text(stack, *options, columns);
    if (tids.size() > 1) text += "\n";
  }
  if (options->arguments)
    text +=
        "Arguments travel in registers, which functions reuse: what was passed is known of\n"
        "system calls, and where a function has just begun.\n";
  console.print(text);
}

std::string why_unknown(const TargetThread& thread) {
  return thread.unknown_because.empty() ? "its stack is not known" : thread.unknown_because;
}

std::span<const ConsoleCommand> console_stack_commands() { return rows; }

}  // namespace culprit
