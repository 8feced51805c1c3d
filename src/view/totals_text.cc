#include "view/totals_text.h"

#include <fmt/format.h>
#include <string.h>  // NOLINT(modernize-deprecated-headers): strsignal is POSIX

#include <algorithm>

#include "analysis/trace_words.h"
#include "base/text.h"

namespace culprit {

namespace {

constexpr size_t rows_shown = 8;

std::string line(const TextStyle& style, std::string_view words, size_t indent = 2) {
  return std::string(indent, ' ') + wrapped(words, style.columns, indent, indent + 2) + "\n";
}

std::string how_it_ended(const ProcessReport& process) {
  if (process.end == ProcessEnd::running) return "still running";
  if (process.end == ProcessEnd::exited) return fmt::format("exit status {}", process.status);
  const char* name = ::strsignal(process.status);
  return fmt::format("killed by signal {} ({})", process.status, name == nullptr ? "?" : name);
}

std::string process_words(const ProcessReport& process) {
  std::string words =
      fmt::format("{} (pid {}): {} made, {} closed, {} open at the end", shown(process.name, 24), process.pid,
                  with_thousands(process.created), with_thousands(process.closed), with_thousands(process.open_at_end));
  if (process.most_open != 0) words += fmt::format(", at most {} at once", with_thousands(process.most_open));
  if (process.limit != 0) words += fmt::format(" of {} allowed", with_thousands(process.limit));
  return words + "; " + how_it_ended(process);
}

// The processes worth a line without --all: those with most open handles, and those that were seen badly.
std::vector<const ProcessReport*> worst_processes(const HandleReport& report, size_t limit) {
  std::vector<const ProcessReport*> worst;
  for (const ProcessReport& process : report.processes) worst.push_back(&process);
  if (worst.size() <= limit) return worst;
  std::ranges::stable_sort(worst, std::greater{}, [](const ProcessReport* process) {
    return std::pair(process->sight != Sight::agent, process->open_at_end);
  });
  worst.resize(limit);
  return worst;
}

std::string sight_note(const ProcessReport& process, const TextStyle& style) {
  if (process.sight_reason.empty()) return {};
  std::string who = fmt::format("{} (pid {}): ", shown(process.name, 24), process.pid);
  return line(style, inked(style, Ink::warning, "note:") + " " + who + printable(process.sight_reason), 4);
}

std::string processes_text(const HandleReport& report, const HandleTextOptions& options) {
  std::string text;
  size_t limit = options.details ? report.processes.size() : rows_shown;
  auto shown_ones = worst_processes(report, limit);
  if (report.processes.size() > 1)
    text += line(options.style, counted(report.processes.size(), "process", "processes") + ":");
  for (const ProcessReport* process : shown_ones) {
    if (report.processes.size() > 1) text += line(options.style, process_words(*process), 4);
    text += sight_note(*process, options.style);
  }
  if (report.processes.size() > shown_ones.size())
    text += line(options.style,
                 fmt::format("… and {} (--all)",
                             counted(report.processes.size() - shown_ones.size(), "more process", "more processes")),
                 4);
  return text;
}

struct NumberedWord {
  std::string_view many, one;
  bool is_verb = false;  // the sentence's own ends with its first comma
};
constexpr NumberedWord numbered_words[] = {{"were", "was", true}, {"are", "is", true}, {"have", "has", true},
                                           {"end", "ends", true}, {"they", "it"},      {"their", "its"}};

// "1 block was skipped because it is damaged", from "blocks were skipped because they are damaged".
std::string said_of_one(std::string_view meaning) {
  std::string words = "1 ";
  bool is_own = true;
  for (size_t at = 0; at < meaning.size();) {
    std::string_view word = meaning.substr(at, meaning.find_first_of(" ,:", at) - at);
    auto known = std::ranges::find_if(
        numbered_words, [&](const NumberedWord& each) { return each.many == word && (is_own || !each.is_verb); });
    if (at == 0)
      words += word.substr(0, word.size() - 1);
    else
      words += known == std::end(numbered_words) ? word : known->one;
    for (at += word.size(); at < meaning.size() && std::string_view(" ,:").find(meaning[at]) != std::string_view::npos;
         ++at) {
      is_own = is_own && meaning[at] != ',';
      words += meaning[at];
    }
  }
  return words;
}

// "12 events were dropped": a meaning about many begins with what there are many of; others tell how often at the end.
std::string loss_words(const MergedLoss& loss) {
  const LossMeaning& meaning = meaning_of(loss.kind);
  static constexpr std::string_view plurals[] = {"events",  "stacks", "names",  "handles",
                                                 "threads", "blocks", "frames", "pages"};
  std::string_view first = meaning.meaning.substr(0, meaning.meaning.find(' '));
  std::string words(meaning.meaning);
  if (std::ranges::find(plurals, first) != std::end(plurals)) {
    words = loss.count == 1 ? said_of_one(meaning.meaning)
                            : fmt::format("{} {}", with_thousands(loss.count), meaning.meaning);
  } else if (loss.count > 1) {
    words += fmt::format(" ({} times)", with_thousands(loss.count));
  }
  for (size_t at = 0; at < loss.details.size() && at < 3; ++at)
    words += (at == 0 ? ": " : "; ") + shown(loss.details[at], 200);
  if (!meaning.remedy.empty()) words += fmt::format(" - {}", meaning.remedy);
  return words;
}

}  // namespace

std::string totals_sentence(const HandleReport& report) {
  std::string words = fmt::format("{} made in {}, {} closed, {} open at the end", counted(report.created, "handle"),
                                  duration_in_words(report.duration), with_thousands(report.closed),
                                  with_thousands(report.outstanding));
  if (report.inherited != 0) words += fmt::format("; {} inherited (not counted)", with_thousands(report.inherited));
  if (report.existing != 0) words += fmt::format("; {} there before the recording", with_thousands(report.existing));
  if (report.before_window != 0) words += fmt::format("; {} made before --after", with_thousands(report.before_window));
  return words;
}

std::string sight_text(const HandleReport& report, const HandleTextOptions& options) {
  std::string text;
  for (const ProcessReport* process : worst_processes(report, rows_shown)) text += sight_note(*process, options.style);
  return text;
}

std::string totals_text(const HandleReport& report, const HandleTextOptions& options) {
  std::string text = line(options.style, totals_sentence(report));
  std::string types;
  size_t rows = options.details ? report.types.size() : std::min(report.types.size(), rows_shown);
  for (size_t at = 0; at < rows; ++at)
    types += fmt::format("{}{} {} of {}", at == 0 ? "" : ", ", shown(report.types[at].type, 24),
                         with_thousands(report.types[at].outstanding), with_thousands(report.types[at].created));
  if (report.types.size() > rows) types += fmt::format(" and {}", counted(report.types.size() - rows, "more type"));
  if (report.types.size() > 1) text += line(options.style, "open at the end, by type: " + types);
  return text + processes_text(report, options);
}

std::string unknown_text(const HandleReport& report, const HandleTextOptions& options) {
  if (report.unknown_total == 0) return {};
  std::string text = line(options.style, counted(report.unknown_total, "handle") +
                                             " of unknown origin: made without libc, or put in "
                                             "by another process");
  size_t rows = std::min(report.unknown.size(), options.details ? report.unknown.size() : size_t{5});
  for (size_t at = 0; at < rows; ++at) {
    const UnknownHandle& handle = report.unknown[at];
    text += line(options.style,
                 fmt::format("{} {} {}, seen in {} (pid {}) at {}", handle.value, shown(handle.type, 24),
                             handle.name == handle.type ? "" : shown(handle.name, 40), shown(handle.process, 24),
                             handle.pid, duration_in_words(handle.seen)),
                 4);
  }
  if (report.unknown_total > rows)
    text += fmt::format("    … and {} more\n", with_thousands(report.unknown_total - rows));
  return text;
}

std::string suppressions_text(const HandleReport& report, const HandleTextOptions& options) {
  if (report.suppressions.empty()) return {};
  std::string unused;
  size_t used = 0;
  for (const SuppressionUse& use : report.suppressions) {
    if (use.groups != 0) ++used;
    if (use.groups == 0)
      unused += fmt::format("{}{} (line {})", unused.empty() ? "" : ", ", shown(use.name, 40), use.line);
  }
  std::string words =
      fmt::format("suppressed: {} in {}, by {} of {}", counted(report.suppressed_handles, "handle"),
                  counted(report.suppressed_groups, "group"), used, counted(report.suppressions.size(), "suppression"));
  if (!unused.empty()) words += "; unused: " + unused;
  return line(options.style, words);
}

std::string losses_text(const std::vector<MergedLoss>& losses, const TextStyle& style) {
  std::string text = is_exact(losses) ? line(style, "exact: nothing that could change this was lost")
                                      : line(style, inked(style, Ink::warning, "partial, because"));
  auto tell = [&](bool partial, std::string_view before) {
    for (const MergedLoss& loss : losses)
      if (meaning_of(loss.kind).makes_partial == partial)
        text += line(style, std::string(before) + loss_words(loss), 4);
  };
  tell(true, "");
  tell(false, "also: ");
  return text;
}

}  // namespace culprit
