#include "view/stack_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "analysis/blame.h"
#include "base/text.h"
#include "symbols/function_name.h"
#include "view/source_excerpt.h"

namespace culprit {

namespace {

constexpr size_t callers_shown = 6;

std::string_view last_parts(std::string_view path, size_t directories) {
  size_t at = path.size();
  for (size_t part = 0; part <= directories; ++part) {
    size_t slash = at == 0 ? path.npos : path.rfind('/', at - 1);
    if (slash == path.npos) return path;
    at = slash;
  }
  return path.substr(at + 1);
}

std::string address_in_module(const ReportFrame& frame) {
  if (frame.module.empty()) return fmt::format("{:#x}", frame.offset);
  return fmt::format("{}+{:#x}", last_parts(frame.module, 0), frame.offset);
}

// How sure the frame is, where that is less than certain.
std::string_view doubt(FoundBy found_by) {
  if (found_by == FoundBy::frame_pointer) return " [by frame pointer]";
  if (found_by == FoundBy::scan) return " [by scan, may be wrong]";
  return "";
}

constexpr size_t widest_column = 300;  // measured no further

struct Columns {
  size_t function = 0, place = 0;
};

// Where both do not fit, the place keeps what it needs up to two fifths, as names of templates have no end.
Columns share(size_t room, Columns widest) {
  size_t place =
      std::max(std::min(widest.place, room * 2 / 5), room > widest.function + 2 ? room - widest.function - 2 : 0);
  place = std::min(place, widest.place);
  return {std::min(widest.function, room - place - 2), place};
}

bool starts_programs(std::string_view function) {
  return function.starts_with("__libc_start_") || function == "start_thread";
}

// The rule that passes over each frame; empty: none does. Outside of the blamed frame it changes nothing but what is
// worth a line: how the C++ library gets from one function of the program to another is not.
using Rules = std::vector<std::string_view>;

Rules rules_from(const ReportStack& stack, size_t first) {
  Rules rules(stack.frames.size());
  for (size_t at = 0; at < rules.size(); ++at) {
    if (!stack.blamed || at <= *stack.blamed) {
      rules[at] = stack.frames[at].skipped_by;
    } else if (at >= first) {
      const BlameRule* rule = skipping_rule(blame_rules(), stack.frames[at]);
      if (rule != nullptr) rules[at] = rule->name;
    }
  }
  return rules;
}

// What lies outside of main or of a thread's own first function (the program's start, libc's caller of main) interests
// nobody. Returns one past the last frame worth showing.
size_t interesting_end(const ReportStack& stack, const Rules& rules, size_t first) {
  size_t end = first + 1;
  for (size_t at = first; at < stack.frames.size(); ++at) {
    const ReportFrame& frame = stack.frames[at];
    if (frame.function == "main" || frame.function.starts_with("main(")) return at + 1;
    // A stripped program has no main to stop at, but libc's caller of it has a name; _start, beyond, has none.
    if (starts_programs(frame.function)) return end;
    if (frame.own && rules[at].empty() && frame.function != "_start") end = at + 1;
  }
  return end;
}

// Which frames to show, in order; a run of others between two of them is told as one line.
std::vector<bool> chosen(const ReportStack& stack, const Rules& rules, size_t first, bool details) {
  std::vector<bool> show(stack.frames.size(), details);
  if (details || stack.frames.empty()) return show;
  size_t shown_so_far = 0, end = interesting_end(stack, rules, first);
  for (size_t at = first; at < end; ++at) {
    bool wanted = at == first || rules[at].empty();
    if (wanted && shown_so_far <= callers_shown) show[at] = true, ++shown_so_far;
  }
  // Where the thread began is worth a line, however deep the stack.
  show[end - 1] = true;
  return show;
}

std::string names_of(const Rules& rules, size_t from, size_t to) {
  std::map<std::string_view, size_t> uses;
  for (size_t at = from; at < to; ++at)
    if (!rules[at].empty()) ++uses[rules[at]];
  std::string words;
  for (const auto& [rule, count] : uses) words += fmt::format("{}{}", words.empty() ? "" : ", ", printable(rule));
  return words;
}

class StackLines {
 public:
  StackLines(const ReportStack& stack, const StackTextOptions& options) : stack_(stack), options_(options) {
    first_ = std::min(stack.blamed.value_or(0), stack.frames.empty() ? 0 : stack.frames.size() - 1);
    rules_ = rules_from(stack, first_);
    show_ = chosen(stack, rules_, first_, options.details);
    Columns widest;
    for (size_t at = 0; at < stack.frames.size(); ++at) {
      if (!show_[at]) continue;
      widest.place = std::max(widest.place, display_width(frame_place(stack.frames[at], 1, widest_column)));
      widest.function = std::max(widest.function, display_width(frame_function(stack.frames[at], widest_column)));
    }
    size_t margin = options.indent + lead;
    columns_ = share(options.style.columns > margin + 30 ? options.style.columns - margin : 30, widest);
  }

  std::string print() {
    if (options_.details && first_ > 0) text_ += indented("innermost first, the blamed frame is marked *") + "\n";
    for (size_t at = options_.details ? 0 : first_; at < stack_.frames.size(); ++at) {
      if (show_[at]) {
        tell_skipped(at);
        print_frame(at);
      } else {
        ++skipped_;
      }
    }
    if (stack_.truncated) text_ += indented("… the outer end of the stack is missing") + "\n";
    print_why();
    return text_;
  }

 private:
  static constexpr size_t lead = 6;  // "  from", "blamed"

  std::string indented(std::string_view line) { return std::string(options_.indent, ' ') + std::string(line); }

  void tell_skipped(size_t before) {
    if (skipped_ == 0) return;
    std::string rules = names_of(rules_, before - skipped_, before);
    std::string line = fmt::format("{:{}}… {} more", "", lead, skipped_);
    if (!rules.empty()) line += fmt::format(" ({})", rules);
    text_ += indented(inked(options_.style, Ink::faint, line)) + "\n";
    skipped_ = 0;
  }

  void print_frame(size_t at) {
    const ReportFrame& frame = stack_.frames[at];
    bool is_blamed = at == first_;
    std::string lead_word = options_.details ? (stack_.blamed == at ? "*" : " ") : (is_blamed ? "in" : "from");
    std::string function = frame_function(frame, columns_.function);
    std::string place = frame.function.empty() && frame.file.empty() ? "" : frame_place(frame, 1, columns_.place);
    Ink ink = is_blamed ? Ink::strong : rules_[at].empty() ? Ink::plain : Ink::faint;
    std::string line = fmt::format("{} {}  {}", right_aligned(lead_word, lead - 1),
                                   padded(inked(options_.style, ink, function), columns_.function),
                                   inked(options_.style, is_blamed ? Ink::name : ink, place));
    line.erase(line.find_last_not_of(' ') + 1);
    text_ += indented(line) + "\n";
    if (options_.details && !frame.skipped_by.empty())
      text_ += indented(fmt::format("{:{}}  passed over: {}", "", lead, printable(frame.skipped_by))) + "\n";
    if (is_blamed && options_.source) {
      StackTextOptions inner = options_;
      inner.indent += 4;
      text_ += source_text(frame, inner);
    }
  }

  // The rule that chose the blamed frame must be visible, or nobody can argue with it.
  void print_why() {
    std::string why;
    if (stack_.frames.empty()) {
      why = "no stack was taken";
    } else if (!stack_.blamed) {
      why = fmt::format("nobody to blame: every frame is passed over by rule ({})",
                        names_of(rules_, 0, stack_.frames.size()));
    } else if (const BlameRule* owner = rule_of(blame_rules(), stack_.frames[*stack_.blamed])) {
      why = fmt::format("blamed by the rule \"{}\"", printable(owner->name));
    } else if (first_ > 0 && !options_.details) {
      std::string frames = counted(first_, "frame");
      why = fmt::format("blamed past {} ({})", frames, names_of(rules_, 0, first_));
    }
    if (why.empty()) return;
    std::string line = wrapped(why, options_.style.columns, options_.indent, options_.indent);
    text_ += indented(inked(options_.style, Ink::faint, line)) + "\n";
  }

  const ReportStack& stack_;
  const StackTextOptions& options_;
  size_t first_ = 0;
  Rules rules_;
  std::vector<bool> show_;
  Columns columns_;
  size_t skipped_ = 0;
  std::string text_;
};

}  // namespace

std::string frame_function(const ReportFrame& frame, size_t columns) {
  std::string name = frame.function.empty() ? address_in_module(frame) : frame.function;
  std::string mark;
  if (!frame.function.empty() && frame.file.empty() && frame.function_offset != 0)
    mark += fmt::format("+{:#x}", frame.function_offset);
  if (!frame.function.empty() && frame.quality == SymbolQuality::exported_symbol) mark += " (exported symbol)";
  if (frame.inlined) mark += " [inlined]";
  mark += doubt(frame.found_by);
  size_t room = columns > mark.size() + 12 ? columns - mark.size() : 12;
  return shown(name, room) + mark;
}

std::string frame_place(const ReportFrame& frame, size_t directories, size_t columns) {
  if (frame.file.empty()) return shown(address_in_module(frame), columns);
  std::string line = frame.line == 0 ? "" : fmt::format(":{}", frame.line);
  size_t room = columns > line.size() + 8 ? columns - line.size() : 8;
  std::string with_directories = printable(last_parts(frame.file, directories));
  // A file's own name is worth more than its directory's.
  if (display_width(with_directories) > room) with_directories = printable(last_parts(frame.file, 0));
  return shorten_middle(with_directories, room) + line;
}

const ReportFrame* blamed_frame(const ReportStack& stack) {
  if (stack.frames.empty()) return nullptr;
  if (stack.blamed && *stack.blamed < stack.frames.size()) return &stack.frames[*stack.blamed];
  // Where nobody is to blame: what the program's own code has of the C++ library's templates says more than the
  // innermost function of libc.
  const auto own = std::find_if(stack.frames.rbegin(), stack.frames.rend(),
                                [](const ReportFrame& frame) { return frame.own && frame.function != "_start"; });
  return own == stack.frames.rend() ? &stack.frames.front() : &*own;
}

std::string frame_phrase(const ReportFrame& frame, size_t columns) {
  if (frame.function.empty()) return frame_place(frame, 0, columns);
  std::string place = frame_place(frame, 0, columns / 2);
  size_t rest = columns > display_width(place) + 3 ? columns - display_width(place) - 3 : 0;
  return fmt::format("{} ({})", shown(without_parameters(frame.function), std::max<size_t>(rest, 16)), place);
}

std::string blamed_phrase(const ReportStack& stack, size_t columns) {
  const ReportFrame* frame = blamed_frame(stack);
  return frame == nullptr ? "an unknown place" : frame_phrase(*frame, columns);
}

std::string stack_phrase(const ReportStack& stack, size_t columns, bool unicode) {
  constexpr size_t caller_columns = 40;
  if (stack.frames.empty()) return "no stack was taken";
  const std::string_view arrow = unicode ? " ← " : " <- ", more = unicode ? " …" : " ...";
  std::string phrase = blamed_phrase(stack, columns);
  size_t used = display_width(phrase);
  const size_t first = std::min(stack.blamed.value_or(0), stack.frames.size() - 1);
  const Rules rules = rules_from(stack, first);
  const size_t end = interesting_end(stack, rules, first);
  for (size_t at = first + 1; at < end; ++at) {
    const ReportFrame& frame = stack.frames[at];
    if (!rules[at].empty()) continue;
    const std::string caller =
        shown(frame.function.empty() ? address_in_module(frame) : std::string(without_parameters(frame.function)),
              caller_columns);
    const size_t reserved = at + 1 < end ? display_width(more) : 0;
    if (used + display_width(arrow) + display_width(caller) + reserved > columns) {
      if (used + display_width(more) <= columns) phrase += more;
      break;
    }
    phrase += fmt::format("{}{}", arrow, caller);
    used += display_width(arrow) + display_width(caller);
  }
  return phrase;
}

std::string source_text(const ReportFrame& frame, const StackTextOptions& options) {
  SourceExcerpt excerpt = read_source_excerpt(frame.file, frame.line);
  auto blank = [](const SourceLine& line) { return line.text.find_first_not_of(' ') == line.text.npos; };
  while (!excerpt.lines.empty() && blank(excerpt.lines.back())) excerpt.lines.pop_back();
  while (!excerpt.lines.empty() && blank(excerpt.lines.front())) excerpt.lines.erase(excerpt.lines.begin());
  std::string text;
  size_t number_width = excerpt.lines.empty() ? 0 : fmt::formatted_size("{}", excerpt.lines.back().number);
  for (const SourceLine& line : excerpt.lines) {
    size_t used = options.indent + number_width + 7;
    size_t room = options.style.columns > used + 20 ? options.style.columns - used : 20;
    std::string body = line.text;
    // Cut at the right, not in the middle: the beginning of a line says what it does.
    bool cut = display_width(body) > room;
    while (display_width(body) + (cut ? 1 : 0) > room) {
      while (!body.empty() && (static_cast<unsigned char>(body.back()) & 0xc0) == 0x80) body.pop_back();
      body.pop_back();
    }
    if (cut) body += "…";
    std::string row = fmt::format("{} {:>{}}  {}", line.blamed ? '>' : ' ', line.number, number_width, body);
    row.erase(row.find_last_not_of(' ') + 1);
    text +=
        std::string(options.indent + 2, ' ') + inked(options.style, line.blamed ? Ink::strong : Ink::faint, row) + "\n";
  }
  return text;
}

std::string stack_text(const ReportStack& stack, const StackTextOptions& options) {
  return StackLines(stack, options).print();
}

}  // namespace culprit
