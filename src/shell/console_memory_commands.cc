// What lies in memory: d*, u, r.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "shell/console_commands.h"
#include "shell/console_session.h"
#include "shell/interrupts.h"
#include "shell/words.h"

namespace culprit {
namespace {

constexpr uint64_t most_bytes = uint64_t{1} << 20;  // of one command

struct DumpWord {
  std::string_view word;
  DumpForm form;
  uint64_t items;  // without a length
};
constexpr DumpWord dump_words[] = {
    {"db", DumpForm::bytes, 128},         {"dw", DumpForm::words, 64},  {"dd", DumpForm::dwords, 32},
    {"dc", DumpForm::dwords_as_text, 32}, {"dq", DumpForm::qwords, 16}, {"dp", DumpForm::qwords, 16},
    {"da", DumpForm::text, 256},          {"du", DumpForm::utf16, 256}, {"dps", DumpForm::pointers, 16},
    {"dqs", DumpForm::pointers, 16},
};

struct Range {
  uint64_t start = 0;
  std::optional<uint64_t> items, end;
};

// "[ADDRESS [L COUNT | END]]"; the address where the last one ended.
Result<Range> parse_range(ConsoleSession& session, std::string_view text, std::optional<uint64_t> where_it_ended) {
  Range range;
  if (text.empty()) {
    if (where_it_ended) return Range{.start = *where_it_ended, .items = {}, .end = {}};
    auto here = session.current_thread();
    if (!here) return tl::unexpected<Error>(std::move(here).error());
    range.start = here->registers.rip;
    return range;
  }
  std::string_view rest;
  auto start = session.leading_value(text, rest);
  if (!start) return tl::unexpected<Error>(std::move(start).error());
  range.start = *start;
  rest = trimmed(rest);
  if (rest.empty()) return range;
  bool is_count = rest.starts_with('L') || rest.starts_with('l');
  auto value = session.value(is_count ? rest.substr(rest.starts_with("L?") || rest.starts_with("l?") ? 2 : 1) : rest);
  if (!value) return tl::unexpected<Error>(std::move(value).error());
  if (is_count) {
    range.items = *value;
  } else if (*value < range.start) {
    return fail(ErrorKind::usage, fmt::format("the end {:#x} lies before the beginning {:#x}", *value, range.start));
  } else {
    range.end = *value;
  }
  return range;
}

Result<size_t> size_of_range(const Range& range, size_t item, uint64_t items_without) {
  uint64_t items = range.items.value_or(items_without);
  // The end is the last address shown.
  uint64_t size = range.end ? *range.end - range.start + 1 : items > most_bytes ? most_bytes + 1 : items * item;
  if (size > most_bytes) return fail(ErrorKind::limit, "more than 1 MB of memory: ask for a part");
  return (size + item - 1) / item * item;
}

// Where the string that begins the piece ends, behind its NUL.
size_t end_of_string(const MemoryPiece& piece, size_t item) {
  size_t end = 0;
  while (piece.is_known(end, item) && piece.number(end, item) != 0) end += item;
  return std::min(piece.bytes.size(), end + item);
}

void dump(Console& console, const ConsoleLine& line) {
  ConsoleSession& session = console.session();
  auto target = session.needed_target();
  if (!target) return console.complain(target.error());
  ConsolePlaces& places = session.places();
  auto known = std::ranges::find(dump_words, line.word, &DumpWord::word);
  if (known == std::end(dump_words)) known = std::ranges::find(dump_words, places.form, &DumpWord::form);  // d
  auto range = parse_range(session, line.rest, places.memory);
  if (!range) return console.complain(range.error());
  size_t item = item_size(known->form);
  auto size = size_of_range(*range, item, known->items);
  if (!size) return console.complain(size.error());
  MemoryPiece piece = read_memory_piece((*target)->memory(), range->start, *size);
  bool is_string = known->form == DumpForm::text || known->form == DumpForm::utf16;
  places.form = known->form;
  places.memory = range->start + (is_string ? end_of_string(piece, item) : piece.bytes.size());
  console.print(memory_text(piece, known->form, session.words()));
}

struct Code {
  std::vector<std::byte> bytes;
  std::vector<InstructionText> instructions;
};

// Up to `most` instructions, and none that begins at or behind `end`.
Result<Code> read_code(ConsoleSession& session, uint64_t start, uint64_t end, size_t most) {
  constexpr uint64_t longest_instruction = 15;
  auto disassembler = session.disassembler();
  if (!disassembler) return tl::unexpected<Error>(std::move(disassembler).error());
  uint64_t wanted = std::min<uint64_t>({most * longest_instruction, most_bytes, end - start});
  MemoryPiece piece = read_memory_piece(session.target()->memory(), start, wanted + longest_instruction);
  auto gap = std::ranges::find(piece.known, false);
  Code code;
  code.bytes.assign(piece.bytes.begin(), piece.bytes.begin() + (gap - piece.known.begin()));
  if (code.bytes.empty())
    return fail(ErrorKind::not_found, fmt::format("there is no memory at {:#x} that can be read", start));
  code.instructions = (*disassembler)->as_text(code.bytes, start, most);
  std::erase_if(code.instructions, [&](const InstructionText& each) { return each.address >= end; });
  return code;
}

void print_code(Console& console, uint64_t start, uint64_t end, size_t most) {
  auto code = read_code(console.session(), start, end, most);
  if (!code) return console.complain(code.error());
  if (!code->instructions.empty())
    console.session().places().code = code->instructions.back().address + code->instructions.back().size;
  console.print(code_text(code->instructions, code->bytes, console.session().words()));
}

void disassemble(Console& console, const ConsoleLine& line) {
  constexpr uint64_t instructions_without = 8, most_instructions = 10'000;
  ConsoleSession& session = console.session();
  if (auto target = session.needed_target(); !target) return console.complain(target.error());
  auto range = parse_range(session, line.rest, session.places().code);
  if (!range) return console.complain(range.error());
  uint64_t most = range->end ? most_instructions : range->items.value_or(instructions_without);
  if (most > most_instructions)
    return console.complain({ErrorKind::limit, "more than 10,000 instructions: ask for a part"});
  print_code(console, range->start, range->end ? *range->end + 1 : UINT64_MAX, most);
}

void disassemble_function(Console& console, const ConsoleLine& line) {
  constexpr size_t most_instructions = 20'000;
  ConsoleSession& session = console.session();
  if (auto target = session.needed_target(); !target) return console.complain(target.error());
  auto address = session.value(line.rest.empty() ? "." : line.rest);
  if (!address) return console.complain(address.error());
  TargetNames::Place place = session.names().place_of(*address);
  if (!place.symbol || place.symbol->size == 0)
    return console.complain({ErrorKind::not_found, fmt::format("no symbol says where the function at {:#x} begins and "
                                                               "ends: u {:#x} shows what is there",
                                                               *address, *address)});
  uint64_t start = *address - place.offset;
  print_code(console, start, start + place.symbol->size, most_instructions);
}

// r [NAME[, NAME…]]
void registers(Console& console, const ConsoleLine& line) {
  ConsoleSession& session = console.session();
  if (line.rest.find('=') != line.rest.npos)
    return console.complain({ErrorKind::usage, "culprit changes no registers: it never hurts what it looks at"});
  if (!line.rest.empty()) {
    std::string text;
    std::string names(line.rest);
    std::ranges::replace(names, ',', ' ');
    for (std::string_view name : split_words(names)) {
      if (name.starts_with('@')) name.remove_prefix(1);
      auto step = register_step(name);
      if (!step) return console.complain({ErrorKind::usage, fmt::format("there is no register {}", printable(name))});
      auto value = session.value_of({*step});
      if (!value) return console.complain(value.error());
      unsigned digits = std::max<unsigned>(1, static_cast<unsigned>(step->value >> 16) / 4);
      text += fmt::format("{}={:0{}x}\n", printable(name), *value, digits);
    }
    return console.print(text);
  }
  auto thread = session.current_thread();
  if (!thread) return console.complain(thread.error());
  std::string text = registers_text(thread->registers, thread->known);
  if (thread->known != RegistersKnown::none) {
    auto code = read_code(session, thread->registers.rip, UINT64_MAX, 1);
    if (code) text += code_text(code->instructions, code->bytes, session.words());
  }
  console.print(text);
}

void address_kind(Console& console, const ConsoleLine& line) {
  ConsoleSession& session = console.session();
  auto target = session.needed_target();
  if (!target) return console.complain(target.error());
  std::optional<uint64_t> wanted;
  if (!line.rest.empty()) {
    auto value = session.value(line.rest);
    if (!value) return console.complain(value.error());
    wanted = *value;
  }
  std::string text;
  for (const TargetMapping& mapping : (*target)->mappings()) {
    if (wanted && (*wanted < mapping.start || *wanted >= mapping.end)) continue;
    text += fmt::format(
        "{:016x} {:016x} {}{}{}{} {:>9} {}{}\n", mapping.start, mapping.end, mapping.is_readable ? 'r' : '-',
        mapping.is_writable ? 'w' : '-', mapping.is_executable ? 'x' : '-', mapping.is_shared ? 's' : 'p',
        bytes_in_words(mapping.end - mapping.start), printable(mapping.path), mapping.is_deleted ? " (deleted)" : "");
  }
  if (text.empty())
    return console.complain({ErrorKind::not_found, fmt::format("nothing is mapped at {:#x}", wanted.value_or(0))});
  console.print(text);
}

constexpr std::string_view subject = "Memory and code";
constexpr ConsoleCommand rows[] = {
    {.subject = subject,
     .names = "db dw dd dq dc dp d",
     .usage = "[ADDRESS [LCOUNT|END]]",
     .description = "memory by 1, 2, 4, 8 bytes, with text, as pointers, as before; LCOUNT items or up to END; without "
                    "an address what follows",
     .run = dump,
     .repeats = true},
    {.subject = subject,
     .names = "dps dqs",
     .usage = "[ADDRESS [LCOUNT|END]]",
     .description = "pointers with the symbols they lead to",
     .run = dump,
     .repeats = true},
    {.subject = subject,
     .names = "da du",
     .usage = "[ADDRESS [LCOUNT|END]]",
     .description = "a string up to its NUL: bytes, or UTF-16",
     .run = dump,
     .repeats = true},
    {.subject = subject,
     .names = "u",
     .usage = "[ADDRESS [LCOUNT|END]]",
     .description = "machine code, from the current instruction on",
     .run = disassemble,
     .repeats = true},
    {.subject = subject,
     .names = "uf",
     .usage = "[ADDRESS]",
     .description = "the machine code of a whole function",
     .run = disassemble_function},
    {.subject = subject,
     .names = "r",
     .usage = "[REGISTER[,…]]",
     .description = "registers of the current thread, which is stopped for a moment if it runs",
     .run = registers},
    {.subject = subject,
     .names = "!address !vprot",
     .usage = "[ADDRESS]",
     .description = "the mapping that holds an address; all of them",
     .run = address_kind},
};

}  // namespace

std::span<const ConsoleCommand> console_memory_commands() { return rows; }

}  // namespace culprit
