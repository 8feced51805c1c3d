// Handles at the console.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "shell/console_commands.h"
#include "shell/console_rows.h"
#include "shell/console_session.h"

namespace culprit {
namespace {

// The recording that is asked, or a complaint.
RecordedHandles* recorded(Console& console) {
  RecordedHandles* handles = console.session().handles();
  if (handles == nullptr)
    console.complain({ErrorKind::usage, "the handles of this target are not recorded: `culprit attach PID` does"});
  return handles;
}

void mark(Console& console, const ConsoleLine& line) {
  if (RecordedHandles* handles = recorded(console)) handles->mark(console, line.words());
}

void diff(Console& console, const ConsoleLine& line) {
  if (RecordedHandles* handles = recorded(console)) handles->diff(console, line.words());
}

// What is open now, of a process or a core: `culprit handles TARGET`.
void take_inventory(Console& console, const std::vector<std::string>& words) {
  run_command_row(console, "handles", words);
}

void handles(Console& console, const ConsoleLine& line) {
  RecordedHandles* recording = console.session().handles();
  if (recording != nullptr) return recording->handles(console, line.words());
  take_inventory(console, line.words());
}

// WinDbg's names of types begin with a capital. Where Linux has the like of one, it is meant.
std::string type_word(std::string word) {
  constexpr std::pair<std::string_view, std::string_view> alike[] = {
      {"event", "eventfd"}, {"timer", "timerfd"}, {"process", "pidfd"}, {"iocompletion", "epoll"}};
  std::ranges::transform(word, word.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  for (auto [windows, here] : alike)
    if (word == windows) return std::string(here);
  return word;
}

// !handle [N [FLAGS [TYPE]]]: 0 or -1 as N means all; FLAGS 0 the counts, anything with 8 in it everything.
void handle(Console& console, const ConsoleLine& line) {
  std::vector<std::string> words = line.words(), options;
  if (words.size() > 3 || (!words.empty() && words[0].starts_with("--"))) return handles(console, line);
  bool is_one = !words.empty() && words[0] != "0" && words[0] != "-1";
  if (words.size() > 1) {
    auto flags = console.session().value(words[1]);
    if (!flags) return console.complain(flags.error());
    if (!is_one && *flags == 0) options.emplace_back("--summary");
    if (!is_one && (*flags & 8) != 0) options.emplace_back("--all");
  }
  if (is_one && words[0].find_first_of("@(") != words[0].npos) {
    auto value = console.session().value(words[0]);
    if (!value) return console.complain(value.error());
    words[0] = std::to_string(*value);
  }
  if (is_one) options.insert(options.end(), {"--value", words[0]});
  if (words.size() > 2) options.insert(options.end(), {"--type", type_word(words[2])});
  if (console.session().target() == nullptr) return console.session().handles()->handles(console, options);
  take_inventory(console, options);
}

void htrace(Console& console, const ConsoleLine& line) {
  RecordedHandles* handles = recorded(console);
  if (handles == nullptr) return;
  std::vector<std::string> words = line.words();
  std::string what = words.empty() ? "" : words[0];
  std::vector<std::string> rest(words.begin() + (words.empty() ? 0 : 1), words.end());
  if (what == "-snapshot") return handles->mark(console, rest);
  if (what == "-diff") return handles->diff(console, rest);
  if (what == "-disable") return (void)console.execute("detach");
  if (what == "-enable")
    return console.print(handles->is_recording() ? "recording since attach\n" : "attach again to record again\n");
  if (what.empty()) return handles->handles(console, {"--by", "how,type,stack", "--all"});
  handles->handles(console, {"--value", what});
}

constexpr std::string_view subject = "Handles";
constexpr ConsoleCommand rows[] = {
    {.subject = subject,
     .names = "mark",
     .usage = "[NAME]",
     .description = "remember this moment, for diff",
     .run = mark},
    {.subject = subject,
     .names = "diff",
     .usage = "[FROM [TO]]",
     .description = "what was opened since a mark (the newest) and is still open",
     .run = diff},
    {.subject = subject,
     .names = "handles",
     .usage = "[options]",
     .description =
         "as `culprit handles`: where handles are recorded by blame, --by LIST, --value N …; else what is open",
     .run = handles},
    {.subject = subject,
     .names = "!handle",
     .usage = "[N [FLAGS [TYPE]]]",
     .description = "what is open now, or handle N in full (N as in /proc, decimal, or @rdi; 0: all); FLAGS 0: counts "
                    "alone, f: everything; TYPE: socket … or File, Event …",
     .run = handle},
    {.subject = subject,
     .names = "!htrace",
     .usage = "-snapshot|-diff|-disable|N",
     .description = "mark, diff, detach; all that happened to number N",
     .run = htrace},
};

}  // namespace

std::span<const ConsoleCommand> console_handle_commands() { return rows; }

}  // namespace culprit
