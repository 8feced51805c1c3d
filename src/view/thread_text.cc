#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "view/answer_text.h"
#include "view/missing_modules.h"
#include "view/stack_text.h"
#include "view/thread_views.h"
#include "view/totals_text.h"

namespace culprit {
namespace {

constexpr size_t threads_named = 8;  // of a group, unless all are asked for

std::string file_name(std::string_view path) { return std::string(path.substr(path.rfind('/') + 1)); }

std::string milliseconds(double seconds) { return fmt::format("{:.2f} ms", seconds * 1e3); }

std::string stops_words(const ThreadReport& report) {
  if (report.kind == TargetKind::core) return "";
  if (report.stopped == 0) return "no thread was stopped";
  return fmt::format("{} stopped, each for {} at most",
                     report.stopped == 1 ? "1 thread was" : fmt::format("{} threads were", report.stopped),
                     milliseconds(report.longest_stop));
}

std::string heading(const ThreadReport& report, const TextStyle& style) {
  std::string program = report.executable.empty() ? "unknown program" : shown(file_name(report.executable), 40);
  std::string where = report.pid == 0 ? program : fmt::format("{} (pid {})", program, report.pid);
  if (report.kind == TargetKind::core) where = fmt::format("{} of {}", shown(report.target, 60), where);
  if (!report.death.empty()) where += ", " + report.death;
  std::string threads = report.threads.size() == report.all_threads
                            ? counted(report.all_threads, "thread")
                            : fmt::format("{} of {}", report.threads.size(), counted(report.all_threads, "thread"));
  std::string text = fmt::format("{}: {}, {}", where, threads, counted(report.groups.size(), "different stack"));
  std::string stops = stops_words(report);
  return line_text(style, text + (stops.empty() ? "" : "; " + stops), 0);
}

std::string thread_words(const ReportThread& thread, bool with_name) {
  return with_name && !thread.name.empty() ? fmt::format("{} {}", thread.tid, shown(thread.name, 15))
                                           : std::to_string(thread.tid);
}

// "12 worker-1, 13 worker-2", or of threads with one name "worker 12, 13, 14".
std::string thread_list(const ThreadReport& report, const std::vector<size_t>& threads,
                        const ThreadTextOptions& options) {
  const std::string& name = report.threads[threads.front()].name;
  bool has_one_name = threads.size() > 1 && !name.empty() &&
                      std::ranges::all_of(threads, [&](size_t index) { return report.threads[index].name == name; });
  size_t named =
      options.details || threads.size() == threads_named + 1 ? threads.size() : std::min(threads.size(), threads_named);
  std::string words = has_one_name ? shown(name, 15) + " " : "";
  for (size_t i = 0; i < named; ++i)
    words += (i == 0 ? "" : ", ") + thread_words(report.threads[threads[i]], !has_one_name);
  if (named < threads.size()) words += fmt::format(" and {} more", threads.size() - named);
  return words;
}

std::string found_words(const ThreadGroup& group) {
  if (group.found.empty()) return "";
  std::string frames;
  constexpr size_t most = 6;
  for (size_t i = 0; i < std::min(group.found.size(), most); ++i)
    frames += fmt::format("{}{}", i == 0 ? "" : ", ", group.found[i]);
  return fmt::format("found at {} {}{} of {}", group.found.size() == 1 ? "frame" : "frames", frames,
                     group.found.size() > most ? " …" : "", group.stack.frames.size());
}

std::string raw_frames(const ThreadGroup& group) {
  std::string text;
  for (size_t i = 0; i < group.stack.frames.size() && i < group.addresses.size(); ++i) {
    const ReportFrame& frame = group.stack.frames[i];
    std::string place =
        frame.module.empty() ? "in no file" : fmt::format("{}+{:#x}", file_name(frame.module), frame.offset);
    text += fmt::format("    #{:<3} {:#018x}  {}  [{}]\n", i, group.addresses[i], printable(place),
                        name_of(frame.found_by));
  }
  if (group.stack.truncated) text += "    … the rest could not be walked\n";
  return text;
}

std::string group_text(const ThreadReport& report, const ThreadGroup& group, const ThreadTextOptions& options) {
  const TextStyle& style = options.style;
  std::string wait = group.wait.empty() ? "" : ": " + printable(group.wait);
  std::string text = line_text(style, inked(style, Ink::strong, counted(group.threads.size(), "thread")) + wait, 0);
  text += line_text(style, thread_list(report, group.threads, options));
  if (std::string found = found_words(group); !found.empty()) text += line_text(style, found);
  if (options.raw) return text + raw_frames(group);
  StackTextOptions stack{.style = style, .indent = 4, .details = options.details, .source = false};
  return text + stack_text(group.stack, stack);
}

// Threads whose stack is unknown, by the reason.
std::string unknown_text(const ThreadReport& report, const ThreadTextOptions& options) {
  std::vector<std::pair<std::string, std::vector<size_t>>> reasons;
  for (size_t index : report.unknown) {
    const std::string& why = report.threads[index].unknown_because;
    auto known = std::ranges::find(reasons, why, &std::pair<std::string, std::vector<size_t>>::first);
    if (known == reasons.end()) known = reasons.insert(reasons.end(), {why, {}});
    known->second.push_back(index);
  }
  std::string text;
  for (const auto& [why, threads] : reasons) {
    text += line_text(
        options.style,
        fmt::format("{} without a stack{}", inked(options.style, Ink::warning, counted(threads.size(), "thread")),
                    why.empty() ? "" : ": " + printable(why)),
        0);
    text += line_text(options.style, thread_list(report, threads, options)) + "\n";
  }
  return text;
}

}  // namespace

std::string threads_as_text(const ThreadReport& report, const ThreadTextOptions& options) {
  std::string text = heading(report, options.style) + "\n";
  size_t shown_groups = options.top == 0 ? report.groups.size() : std::min(options.top, report.groups.size());
  size_t hidden_threads = 0;
  for (size_t i = 0; i < report.groups.size(); ++i) {
    if (i < shown_groups)
      text += group_text(report, report.groups[i], options) + "\n";
    else
      hidden_threads += report.groups[i].threads.size();
  }
  if (hidden_threads != 0) {
    text += line_text(options.style,
                      fmt::format("{} with {} are not shown: --all shows them",
                                  counted(report.groups.size() - shown_groups, "more stack"),
                                  counted(hidden_threads, "thread")),
                      0) +
            "\n";
  }
  text += unknown_text(report, options);
  text += losses_text(report.losses, options.style);
  return text +
         missing_modules_text(report.missing, {.style = options.style, .is_core = report.kind == TargetKind::core});
}

}  // namespace culprit
