// Modules, symbols and source.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "base/text.h"
#include "shell/console_commands.h"
#include "shell/console_session.h"
#include "shell/interrupts.h"
#include "shell/words.h"
#include "view/source_excerpt.h"

namespace culprit {
namespace {

constexpr size_t most_symbols = 1000;

std::string_view kind_word(SymbolKind kind) {
  switch (kind) {
    case SymbolKind::function:
      return "function";
    case SymbolKind::data:
      return "data";
    case SymbolKind::thread_data:
      return "thread-local";
    case SymbolKind::label:
      break;
  }
  return "label";
}

std::string size_words(const NamedSymbol& symbol) {
  return symbol.size == 0 ? std::string(kind_word(symbol.kind))
                          : fmt::format("{}, {:#x} bytes", kind_word(symbol.kind), symbol.size);
}

std::string module_details(ConsoleSession& session, const TargetModule& module) {
  std::string text;
  auto row = [&](std::string_view name, std::string_view value) {
    if (!value.empty()) text += fmt::format("    {:<13} {}\n", name, printable(value));
  };
  ModuleSymbols used = session.symbolizer().used_for(openable(module));
  row("build id", module.module.build_id);
  if (module.opened_path != module.module.path) row("read from", module.opened_path);
  row("missing", module.missing);
  row("debug info", used.debug_file);
  row("symbols", used.note);
  row("loaded at", fmt::format("{:#x} more than linked for", module.bias));
  return text;
}

// lm [v] [m GLOB] [a ADDRESS]; lmv m libc, lmvm libc
void list_modules(Console& console, const ConsoleLine& line) {
  ConsoleSession& session = console.session();
  auto target = session.needed_target();
  if (!target) return console.complain(target.error());
  std::vector<std::string> words = line.words();
  std::string options(line.word.substr(2)), glob = "*";
  if (!words.empty() && options.empty() && words[0].size() <= 3 &&
      words[0].find_first_not_of("vmaf") == std::string::npos) {
    options = words[0];
    words.erase(words.begin());
  }
  if (options == "v" && words.size() == 2 && (words[0] == "m" || words[0] == "a")) {
    options += words[0];
    words.erase(words.begin());
  }
  std::optional<uint64_t> within;
  if (options.find('a') != options.npos) {
    auto value = session.value(words.empty() ? "" : words[0]);
    if (!value) return console.complain(value.error());
    within = *value;
  } else if (!words.empty()) {
    glob = words[0];
  }
  (void)session.threads(ThreadWish::names_and_waits);  // of a live process, looks at its modules anew
  std::string text = fmt::format("{:<16} {:<16} module\n", "start", "end");
  size_t shown = 0;
  for (const TargetModule* module : session.names().modules_named(glob)) {
    if (within && (*within < module->start || *within >= module->end)) continue;
    ++shown;
    text += fmt::format("{:016x} {:016x} {:<16} {}{}\n", module->start, module->end, printable(module_word(*module)),
                        printable(module->module.path), module->missing.empty() ? "" : "  (file missing)");
    if (options.find('v') != options.npos) text += module_details(session, *module);
  }
  if (shown == 0)
    return console.complain({ErrorKind::not_found, within ? fmt::format("no module holds {:#x}", *within)
                                                          : fmt::format("there is no module {}", printable(glob))});
  console.print(text);
}

bool is_module_list(std::string_view word) {
  return word.starts_with("lm") && word.size() <= 5 && word.find_first_not_of("vmaf", 2) == word.npos;
}

std::string source_words(ConsoleSession& session, const TargetModule& module, uint64_t address) {
  SymbolizedFrame frame = session.symbolizer().symbolize(openable(module), address - module.bias, false);
  if (frame.frames.empty() || frame.frames.front().file.empty()) return "";
  return fmt::format("{} @ {}", frame.frames.front().file, frame.frames.front().line);
}

void nearest_symbols(Console& console, const ConsoleLine& line) {
  ConsoleSession& session = console.session();
  auto target = session.needed_target();
  if (!target) return console.complain(target.error());
  auto address = session.value(line.rest.empty() ? "." : line.rest);
  if (!address) return console.complain(address.error());
  const TargetModule* module = (*target)->module_at(*address);
  if (module == nullptr) {
    std::string words = session.words()(*address);
    if (words.empty())
      return console.complain({ErrorKind::not_found, fmt::format("nothing is mapped at {:#x}", *address)});
    return console.print(fmt::format("({:016x})   {}, which is no module\n", *address, printable(words)));
  }
  NearSymbols near = session.names().near(*module, *address);
  std::string name = module_word(*module), text;
  auto place = [&](const NamedSymbol& symbol) { return symbol.address + module->bias; };
  if (std::string source = source_words(session, *module, *address); !source.empty())
    text += fmt::format("[{}]\n", printable(source));
  if (near.before) {
    uint64_t offset = *address - place(*near.before);
    text += fmt::format("({:016x})   {}!{}", place(*near.before), name, near.before->name);
    if (offset != 0) text += fmt::format("+{:#x}", offset);
    text += near.is_within ? fmt::format("   ({})\n", size_words(*near.before)) : "   (ends before this address)\n";
  }
  if (near.after)
    text += fmt::format("({:016x})   {}!{}, {:#x} bytes further\n", place(*near.after), name, near.after->name,
                        place(*near.after) - *address);
  if (text.empty()) text = fmt::format("{}+{:#x}: no symbols\n", name, *address - module->start);
  if (near.before && place(*near.before) == *address)
    text += fmt::format("Exact matches:\n    {}!{}\n", name, near.before->name);
  std::string shown;
  for (std::string_view rest = text; !rest.empty();) {
    std::string_view one = rest.substr(0, rest.find('\n'));
    shown += printable(one) + "\n";
    rest.remove_prefix(std::min(rest.size(), one.size() + 1));
  }
  console.print(shown);
}

void examine(Console& console, const ConsoleLine& line) {
  ConsoleSession& session = console.session();
  if (auto target = session.needed_target(); !target) return console.complain(target.error());
  std::string_view pattern = line.rest;
  if (pattern.empty())
    return console.complain({ErrorKind::usage, "x takes MODULE!NAME, both with * and ? if you like: x libc!mem*"});
  size_t mark = pattern.find('!');
  std::string_view module = mark == pattern.npos ? "*" : pattern.substr(0, mark);
  std::string_view name = mark == pattern.npos ? pattern : pattern.substr(mark + 1);
  if (session.names().modules_named(module).empty())
    return console.complain({ErrorKind::not_found, fmt::format("there is no module {}", printable(module))});
  auto found = session.names().find(module, name.empty() ? "*" : name, most_symbols, [] { return !was_interrupted(); });
  if (found.symbols.empty() && !found.was_stopped)
    return console.complain({ErrorKind::not_found, fmt::format("there is no symbol {}", printable(pattern))});
  std::string text;
  for (const TargetNames::Found& each : found.symbols)
    text += fmt::format("{:016x}   {}!{}   ({})\n", each.address, printable(module_word(*each.module)),
                        printable(each.symbol.name), size_words(each.symbol));
  if (found.has_more)
    text +=
        fmt::format("… and more: these are the first {}; ask for a narrower pattern\n", with_thousands(most_symbols));
  console.print(text);
}

// The numbers of "lsa ADDRESS, FIRST, COUNT".
Result<std::vector<int64_t>> numbers_after_comma(ConsoleSession& session, std::string_view text) {
  std::vector<int64_t> numbers;
  while (text.starts_with(',')) {
    auto value = session.leading_value(trimmed(text.substr(1)), text);
    if (!value) return tl::unexpected<Error>(std::move(value).error());
    numbers.push_back(static_cast<int64_t>(*value));
  }
  if (!text.empty()) return fail(ErrorKind::usage, fmt::format("'{}' is no number of lines", printable(text)));
  return numbers;
}

void print_source(Console& console, const std::string& file, int64_t first, int64_t count, uint32_t current) {
  constexpr int64_t most_lines = 2000;
  first = std::max<int64_t>(first, 1);
  count = std::clamp<int64_t>(count, 1, most_lines);
  auto middle = static_cast<uint32_t>(std::clamp<int64_t>(current != 0 ? current : first, 1, UINT32_MAX / 2));
  auto around =
      static_cast<uint32_t>(std::clamp<int64_t>(std::max(middle - first, first + count - middle), 0, UINT32_MAX / 2));
  SourceExcerpt excerpt = read_source_excerpt(file, middle, around);
  std::string text;
  for (const SourceLine& line : excerpt.lines)
    if (line.number >= first && line.number < first + count)
      text += fmt::format("{}{:>6}: {}\n", line.number == current ? '>' : ' ', line.number, line.text);
  if (text.empty())
    return console.complain(
        {ErrorKind::not_found, fmt::format("{} is not here, or has no line {}", printable(file), first)});
  ConsolePlaces& places = console.session().places();
  places.file = file;
  places.line = static_cast<uint32_t>(std::min<int64_t>(first + count, UINT32_MAX));
  places.count = static_cast<uint32_t>(count);
  console.print(text);
}

constexpr int64_t lines_shown = 20;

void source_around(Console& console, const ConsoleLine& line) {
  ConsoleSession& session = console.session();
  auto target = session.needed_target();
  if (!target) return console.complain(target.error());
  std::string_view text = line.rest, rest;
  if (text.starts_with(". ") && trimmed(text.substr(1)).find_first_of(",") != 0) text = trimmed(text.substr(1));
  auto address = session.leading_value(text.empty() ? "." : text, rest);
  if (!address) return console.complain(address.error());
  auto numbers = numbers_after_comma(session, trimmed(rest));
  if (!numbers) return console.complain(numbers.error());
  const TargetModule* module = (*target)->module_at(*address);
  if (module == nullptr)
    return console.complain({ErrorKind::not_found, fmt::format("no module holds {:#x}", *address)});
  SymbolizedFrame frame = session.symbolizer().symbolize(openable(*module), *address - module->bias, false);
  if (frame.frames.empty() || frame.frames.front().line == 0) {
    std::string why = session.symbolizer().used_for(openable(*module)).note;
    return console.complain({ErrorKind::not_found, fmt::format("no line is known for {:#x}{}{}", *address,
                                                               why.empty() ? "" : ": ", printable(why))});
  }
  const SourceFrame& source = frame.frames.front();
  int64_t first = source.line + (numbers->empty() ? -(lines_shown / 2 - 1) : (*numbers)[0]);
  print_source(console, source.file, first, numbers->size() > 1 ? (*numbers)[1] : lines_shown, source.line);
}

void more_source(Console& console, const ConsoleLine& line) {
  ConsoleSession& session = console.session();
  const ConsolePlaces& places = session.places();
  if (places.file.empty()) return console.complain({ErrorKind::usage, "lsa ADDRESS shows source first; ls goes on"});
  auto numbers =
      numbers_after_comma(session, line.rest.empty() || line.rest.starts_with(',') ? std::string(line.rest)
                                                                                   : fmt::format(",{}", line.rest));
  if (!numbers) return console.complain(numbers.error());
  std::string file = places.file;
  bool has_first = !line.rest.empty() && !line.rest.starts_with(',') && !numbers->empty();
  int64_t first = has_first ? (*numbers)[0] : places.line;
  size_t count_at = has_first ? 1 : 0;
  print_source(console, file, first, numbers->size() > count_at ? (*numbers)[count_at] : places.count, 0);
}

// .sympath [DIRECTORIES], .sympath+ DIRECTORIES
void symbol_path(Console& console, const ConsoleLine& line) {
  ConsoleSession& session = console.session();
  std::vector<std::string> directories;
  bool appends = line.word.ends_with('+') || line.rest.starts_with('+');
  if (!line.rest.empty()) {
    std::string_view text = line.rest.starts_with('+') ? trimmed(line.rest.substr(1)) : line.rest;
    if (appends) directories = session.symbols().debug_directories;
    for (const std::string& word : split_words(text)) {
      for (size_t from = 0; from <= word.size();) {
        size_t end = std::min(word.find_first_of(";:", from), word.size());
        if (end > from) directories.push_back(word.substr(from, end - from));
        from = end + 1;
      }
    }
    session.set_debug_directories(directories);
  }
  std::string text = "Debug files are looked for in:\n";
  for (const std::string& directory : session.symbols().debug_directories) {
    std::error_code failure;
    bool is_there = std::filesystem::is_directory(directory, failure);
    text += fmt::format("  {}{}\n", printable(directory), is_there ? "" : "   (there is no such directory)");
  }
  console.print(text);
}

void reload(Console& console, const ConsoleLine&) {
  if (auto reloaded = console.session().reload(); !reloaded) console.complain(reloaded.error());
}

constexpr std::string_view subject = "Modules, symbols and source";
constexpr ConsoleCommand rows[] = {
    {.subject = subject,
     .names = "lm",
     .usage = "[v] [m GLOB | a ADDRESS]",
     .description = "modules; v: with build id, files, what is missing; also lmv, lmvm GLOB, lma ADDRESS",
     .run = list_modules,
     .takes = is_module_list},
    {.subject = subject,
     .names = "ln",
     .usage = "[ADDRESS]",
     .description = "the symbol at an address, its neighbour, its source line",
     .run = nearest_symbols},
    {.subject = subject,
     .names = "x",
     .usage = "[MODULE!]NAME",
     .description = "symbols by name, with * and ?: functions and variables",
     .run = examine},
    {.subject = subject,
     .names = "lsa",
     .usage = "[ADDRESS[, FIRST[, COUNT]]]",
     .description = "source around an address; FIRST lines further (-3), COUNT lines",
     .run = source_around},
    {.subject = subject,
     .names = "ls",
     .usage = "[FIRST][, COUNT]",
     .description = "source from where lsa ended, or from line FIRST",
     .run = more_source,
     .repeats = true},
    {.subject = subject,
     .names = ".sympath .sympath+",
     .usage = "[DIRECTORY[:…]]",
     .description = "where separate debug files are looked for; + adds",
     .run = symbol_path},
    {.subject = subject,
     .names = ".reload",
     .usage = "",
     .description = "forget symbols and ended threads, look again",
     .run = reload},
};

}  // namespace

std::span<const ConsoleCommand> console_symbol_commands() { return rows; }

}  // namespace culprit
