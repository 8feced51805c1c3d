#include "view/watch_report.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <ctime>
#include <nlohmann/json.hpp>

#include "base/text.h"

namespace culprit {
namespace {

constexpr size_t shown_types = 5;
constexpr uint64_t hardly_limited = uint64_t{1} << 40;

std::string clock_of(int64_t wall_clock_ns) {
  std::time_t seconds = wall_clock_ns / 1'000'000'000;
  std::tm local{};
  localtime_r(&seconds, &local);
  return fmt::format("{:%H:%M:%S}", local);
}

std::string head_of(const WatchedCount& process) {
  std::string text = fmt::format("{} ({})  {}", printable(process.name), process.pid, with_thousands(process.open));
  if (process.limit != 0 && process.limit < hardly_limited)
    text += fmt::format(" of {}", with_thousands(process.limit));
  text += " open";
  if (process.growth_per_second) text += fmt::format(", grows by {:.1f}/s", *process.growth_per_second);
  if (process.seconds_to_limit) text += fmt::format(": limit in {}", duration_in_words(*process.seconds_to_limit));
  if (process.made_per_second)
    text += fmt::format("; {:.0f}/s made, {:.0f}/s closed", *process.made_per_second,
                        process.closed_per_second.value_or(0));
  return text;
}

std::string types_of(const WatchedCount& process) {
  std::string text;
  for (size_t i = 0; i < process.types.size() && i < shown_types; i++) {
    text += fmt::format("{}{} {}", i == 0 ? "" : ", ", process.types[i].first, with_thousands(process.types[i].second));
  }
  if (process.types.size() > shown_types) text += ", …";
  return text;
}

std::string escaped(std::string_view label) {
  std::string text;
  for (char c : printable(label)) {
    if (c == '"' || c == '\\') text += '\\';
    text += c;
  }
  return text;
}

}  // namespace

std::string watch_as_text(const WatchLook& look, const TextStyle& style) {
  std::string text;
  std::string clock = clock_of(look.wall_clock_ns) + "  ";
  for (const WatchedCount& process : look.processes) {
    bool is_near = process.limit != 0 && process.open > process.limit / 10 * 9;
    std::string head = wrapped(head_of(process), style.columns, clock.size(), clock.size());
    text += clock +
            inked(style,
                  is_near                     ? Ink::bad
                  : process.growth_per_second ? Ink::warning
                                              : Ink::plain,
                  head) +
            "\n";
    if (!process.types.empty()) {
      text += std::string(clock.size(), ' ') +
              inked(style, Ink::faint, wrapped(types_of(process), style.columns, clock.size(), clock.size())) + "\n";
    }
    clock = std::string(clock.size(), ' ');
  }
  if (look.processes_left_out > 0)
    text += fmt::format("{}and {} with fewer\n", clock, counted(look.processes_left_out, "process", "processes"));
  if (look.machine_open > 0)
    text +=
        fmt::format("{}machine: {} files open{}\n", clock, with_thousands(look.machine_open),
                    look.machine_most < hardly_limited ? fmt::format(" of {}", with_thousands(look.machine_most)) : "");
  return text;
}

std::string watch_as_json(const WatchLook& look) {
  nlohmann::ordered_json json;
  json["schema"] = 1;
  json["wall_clock_ns"] = look.wall_clock_ns;
  json["machine"] = {{"open_files", look.machine_open}, {"most_files", look.machine_most}};
  json["processes_left_out"] = look.processes_left_out;
  auto& processes = json["processes"] = nlohmann::ordered_json::array();
  auto or_null = [](const std::optional<double>& number) {
    return number ? nlohmann::ordered_json(*number) : nlohmann::ordered_json();
  };
  for (const WatchedCount& process : look.processes) {
    nlohmann::ordered_json types = nlohmann::ordered_json::object();
    for (const auto& [type, count] : process.types) types[printable(type)] = count;
    processes.push_back({{"pid", process.pid},
                         {"name", printable(process.name)},
                         {"open", process.open},
                         {"limit", process.limit},
                         {"types", types},
                         {"made_per_second", or_null(process.made_per_second)},
                         {"closed_per_second", or_null(process.closed_per_second)},
                         {"growth_per_second", or_null(process.growth_per_second)},
                         {"seconds_to_limit", or_null(process.seconds_to_limit)}});
  }
  return json.dump() + "\n";
}

std::string watch_as_prometheus(const WatchLook& look) {
  std::string text = "# HELP culprit_handles Open handles of a process.\n# TYPE culprit_handles gauge\n";
  auto labels = [](const WatchedCount& process) {
    return fmt::format("pid=\"{}\",name=\"{}\"", process.pid, escaped(process.name));
  };
  for (const WatchedCount& process : look.processes)
    text += fmt::format("culprit_handles{{{}}} {}\n", labels(process), process.open);
  text +=
      "# HELP culprit_handle_limit Soft limit of open handles (RLIMIT_NOFILE).\n# TYPE culprit_handle_limit gauge\n";
  for (const WatchedCount& process : look.processes)
    text += fmt::format("culprit_handle_limit{{{}}} {}\n", labels(process), process.limit);
  text += "# HELP culprit_handles_by_type Open handles of a process by type.\n# TYPE culprit_handles_by_type gauge\n";
  for (const WatchedCount& process : look.processes) {
    for (const auto& [type, count] : process.types)
      text += fmt::format("culprit_handles_by_type{{{},type=\"{}\"}} {}\n", labels(process), escaped(type), count);
  }
  struct Rate {
    std::string_view name, help;
    std::optional<double> WatchedCount::*value;
  };
  constexpr Rate rates[] = {
      {"culprit_handles_made_per_second", "Handles made, lately.", &WatchedCount::made_per_second},
      {"culprit_handles_closed_per_second", "Handles closed, lately.", &WatchedCount::closed_per_second},
      {"culprit_handles_growth_per_second", "Steady growth, by regression.", &WatchedCount::growth_per_second},
      {"culprit_handles_seconds_to_limit", "Until the limit is reached.", &WatchedCount::seconds_to_limit}};
  for (const Rate& rate : rates) {
    text += fmt::format("# HELP {0} {1}\n# TYPE {0} gauge\n", rate.name, rate.help);
    for (const WatchedCount& process : look.processes) {
      if (process.*rate.value) text += fmt::format("{}{{{}}} {}\n", rate.name, labels(process), *(process.*rate.value));
    }
  }
  text += "# HELP culprit_open_files Open files of the machine.\n# TYPE culprit_open_files gauge\n";
  return text + fmt::format("culprit_open_files {}\n", look.machine_open);
}

}  // namespace culprit
