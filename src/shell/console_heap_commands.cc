// The heap at the console: `culprit heap` on the target, and WinDbg's !heap.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/text.h"
#include "shell/console_commands.h"
#include "shell/console_session.h"
#include "shell/heap_commands.h"
#include "shell/words.h"

namespace culprit {
namespace {

using Words = std::vector<std::string>;

// The session's target with its symbols, as it stands if the console holds it.
void ask(Console& console, const Words& options) {
  ConsoleSession& session = console.session();
  auto target = session.needed_target();
  if (!target) return console.complain(target.error());
  auto arguments = parse_words(*find_command("heap"), options);
  if (!arguments) return console.complain(arguments.error());
  if (arguments->has("--executable"))
    return console.complain({ErrorKind::usage, "--executable belongs to the command line, where the target is opened"});
  const Ending ending = answer_heap(**target, *arguments, console.streams(), session.symbols());
  if (ending.status == ended_in_failure.status) console.note_complaint();
}

// The recording that memory goes into, or a complaint.
RecordedHandles* recording(Console& console) {
  RecordedHandles* recorded = console.session().handles();
  if (recorded == nullptr || recorded->session() == nullptr) {
    console.complain({ErrorKind::usage, "memory is recorded at the console of a live process: `culprit attach PID`"});
    return nullptr;
  }
  return recorded;
}

// What was recorded of memory, if something was and it can answer that.
bool ask_recording(Console& console, const Words& words) {
  RecordedHandles* recorded = console.session().handles();
  if (recorded == nullptr || !recorded->has_memory()) return false;
  auto arguments = parse_words(*find_command("heap"), words);
  if (arguments && asks_a_target(*arguments)) return false;
  recorded->memory(console, words);
  return true;
}

// What a block is now; and if memory is recorded, who allocated what lay there.
void tell_block(Console& console, const Words& words) {
  ask(console, words);
  const RecordedHandles* recorded = console.session().handles();
  if (recorded == nullptr || !recorded->has_memory()) return;
  console.print("\n");
  ask_recording(console, words);
}

bool is_about_a_block(const Words& words) { return std::ranges::find(words, "--block") != words.end(); }

void heap(Console& console, const ConsoleLine& line) {
  const Words words = line.words();
  const std::string what = words.empty() ? "" : words[0];
  if (what == "on" || what == "off" || what == "diff") {
    RecordedHandles* recorded = recording(console);
    if (recorded == nullptr) return;
    if (what == "on") return recorded->record_memory(console);
    if (what == "off") return recorded->leave_memory(console);
    return recorded->memory_diff(console, Words(words.begin() + 1, words.end()));
  }
  if (is_about_a_block(words)) return tell_block(console, words);
  if (!ask_recording(console, words)) ask(console, words);
}

// WinDbg reads numbers as hexadecimal.
std::string hex(const std::string& word) { return word.starts_with("0x") ? word : "0x" + word; }

// -stat [-h HEAP] [-grp {A|B|S} [N]]
Result<Words> stat_options(const Words& words) {
  Words options{"--by", "size"};
  for (size_t i = 1; i < words.size(); ++i) {
    const bool has_value = i + 1 < words.size();
    if (words[i] == "-h" && has_value) {
      const std::string& wanted = words[++i];
      if (wanted != "0") options.insert(options.end(), {"--arena", hex(wanted)});
    } else if (words[i] == "-grp" && has_value && (words[i + 1] == "B" || words[i + 1] == "S")) {
      if (words[++i] == "B") options.emplace_back("--count");
      if (i + 1 < words.size() && words[i + 1].find_first_not_of("0123456789") == std::string::npos)
        options.insert(options.end(), {"--top", words[++i]});
    } else {
      return fail(ErrorKind::usage,
                  fmt::format("!heap -stat takes -h HEAP and -grp B or S, and not {}", printable(words[i])));
    }
  }
  return options;
}

// -flt s SIZE, -flt r LEAST MOST: of the range the second is not in it.
Result<Words> filter_options(const Words& words) {
  auto number = [&](size_t i) -> std::optional<uint64_t> {
    uint64_t value = 0;
    const std::string text = hex(words[i]).substr(2);
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
    return error == std::errc{} && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
  };
  if (words.size() == 3 && words[1] == "s") return Words{"--list", "--size", hex(words[2])};
  if (words.size() == 4 && words[1] == "r") {
    auto least = number(2), most = number(3);
    if (least && most && *least < *most)
      return Words{"--list", "--range", fmt::format("{:#x}-{:#x}", *least, *most - 1)};
  }
  return fail(ErrorKind::usage, "!heap -flt takes s SIZE, or r LEAST MOST");
}

Result<Words> block_options(Console& console, std::string_view expression) {
  auto address = console.session().value(expression);
  if (!address) return tl::unexpected<Error>(address.error());
  return Words{"--block", fmt::format("{:#x}", *address)};
}

// What of the line follows these words.
std::string_view after_words(std::string_view rest, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    rest.remove_prefix(std::min(rest.find(' '), rest.size()));
    rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
  }
  return rest;
}

Result<Words> heap_options(Console& console, const ConsoleLine& line) {
  const Words words = line.words();
  if (words.empty() || (words[0] == "-s" && words.size() == 1)) return Words{};
  if (words[0] == "-stat") return stat_options(words);
  if (words[0] == "-flt") return filter_options(words);
  if (words[0] == "-l" && words.size() == 1) return Words{"--unreachable"};
  if (words[0] == "-x" && words.size() > 1)
    return block_options(console, after_words(line.rest, words[1] == "-v" ? 2 : 1));
  if (words[0] == "-p" && words.size() > 2 && words[1] == "-a")
    return block_options(console, after_words(line.rest, 2));
  return fail(
      ErrorKind::usage,
      "!heap takes -s, -stat [-h HEAP] [-grp B|S], -flt s SIZE, -flt r LEAST MOST, -x ADDRESS, -p -a ADDRESS or -l");
}

void windbg_heap(Console& console, const ConsoleLine& line) {
  auto options = heap_options(console, line);
  if (!options) return console.complain(options.error());
  is_about_a_block(*options) ? tell_block(console, *options) : ask(console, *options);
}

constexpr std::string_view subject = "Heap";
constexpr ConsoleCommand rows[] = {
    {.subject = subject,
     .names = "heap",
     .usage = "on | off | diff [FROM [TO]] | [options]",
     .description = "on: record what is allocated from now on; then what of it is left, by stack or size, or (diff) "
                    "since a mark; else as `culprit heap`: arenas, sizes, classes, one block (and who allocated it, if "
                    "that is recorded), leaks",
     .run = heap},
    {.subject = subject,
     .names = "!heap",
     .usage = "-s | -stat | -flt | -x ADDRESS | -p -a ADDRESS | -l",
     .description = "the same in WinDbg's words: -stat [-h HEAP] [-grp B|S], -flt s SIZE, -flt r LEAST MOST",
     .run = windbg_heap},
};

}  // namespace

std::span<const ConsoleCommand> console_heap_commands() { return rows; }

}  // namespace culprit
