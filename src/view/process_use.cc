#include "view/process_use.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "base/text.h"
#include "view/answer_text.h"
#include "view/process_use_json.h"

namespace culprit {
namespace {

using Bytes64 = std::optional<uint64_t>;

constexpr size_t label_columns = 13, types_shown = 6;

std::string row(std::string_view label, std::string_view words, const TextStyle& style) {
  return fmt::format("  {:<{}}{}\n", label, label_columns - 2,
                     wrapped(words, style.columns, label_columns, label_columns));
}

std::string types_words(const ProcessUse& use) {
  std::vector<std::pair<uint64_t, std::string>> types;
  for (const auto& [type, count] : use.handles) types.emplace_back(count, type);
  std::ranges::stable_sort(types, std::greater<>(), &std::pair<uint64_t, std::string>::first);
  std::string words;
  for (size_t i = 0; i < types.size() && i < types_shown; ++i)
    words += fmt::format("{}{} {}", i == 0 ? ": " : ", ", with_thousands(types[i].first), types[i].second);
  if (types.size() > types_shown) words += fmt::format(" and {} other types", types.size() - types_shown);
  return words;
}

std::string handles_words(const ProcessUse& use, std::string_view maker, const TextStyle& style) {
  std::string count = with_thousands(use.handle_count);
  if (use.handle_limit) count += " of " + with_thousands(*use.handle_limit);
  std::string words = count + " open" + types_words(use);
  if (use.handles_are_full()) words = inked(style, Ink::bad, "EMFILE likely: ") + words;
  if (!maker.empty()) words += fmt::format("; most were made by {}", printable(maker));
  return words;
}

std::string amount(Bytes64 used, Bytes64 limit, std::string_view of) {
  if (!used) return "";
  return limit ? fmt::format("{} of {} {}", bytes_in_words(*used), bytes_in_words(*limit), of)
               : fmt::format("{} {}", bytes_in_words(*used), of);
}

std::string joined(const std::vector<std::string>& parts) {
  std::string words;
  for (const std::string& part : parts)
    if (!part.empty()) words += (words.empty() ? "" : ", ") + part;
  return words;
}

std::string memory_words(const ProcessUse& use) {
  Bytes64 swapped = use.swapped && *use.swapped != 0 ? use.swapped : Bytes64();
  return joined({amount(use.resident, {}, "resident"), amount(use.most_resident, {}, "at most"),
                 amount(swapped, {}, "swapped"), amount(use.address_space, use.address_space_limit, "of addresses"),
                 use.data_limit ? fmt::format("data limited to {}", bytes_in_words(*use.data_limit)) : ""});
}

std::string age_words(const ProcessUse& use) {
  if (!use.seconds || !use.machine_seconds) return "";
  return fmt::format("{}, {} after the machine began", duration_in_words(*use.seconds),
                     duration_in_words(*use.machine_seconds));
}

std::string group_words(const ProcessUse& use) {
  std::string kills;
  if (use.oom_kills && *use.oom_kills != 0)
    kills = fmt::format("{} killed there for want of memory", counted(*use.oom_kills, "process", "processes"));
  std::string memory = amount(use.cgroup_memory, use.cgroup_limit, "of memory");
  if (use.is_near(use.cgroup_memory, use.cgroup_limit)) memory = "its memory is used up: " + memory;
  std::string processes;
  if (use.cgroup_processes && use.process_limit)
    processes =
        fmt::format("{} of {} processes", with_thousands(*use.cgroup_processes), with_thousands(*use.process_limit));
  std::string words = joined({memory, processes, kills});
  return words.empty() ? "" : fmt::format("{}: {}", printable(use.cgroup), words);
}

Json number_or_nothing(Bytes64 number) { return number ? Json(*number) : Json(nullptr); }

}  // namespace

std::string process_use_text(const ProcessUse& use, std::string_view handle_maker, const TextStyle& style) {
  std::string text;
  if (std::string words = age_words(use); !words.empty()) text += row("uptime", words, style);
  if (use.handle_count != 0) text += row("handles", handles_words(use, handle_maker, style), style);
  if (std::string words = memory_words(use); !words.empty()) text += row("memory", words, style);
  if (std::string words = group_words(use); !words.empty()) text += row("cgroup", words, style);
  if (text.empty()) return text;
  return "\n" + line_text(style, inked(style, Ink::strong, "What it had"), 0) + text;
}

Json process_use_json(const ProcessUse& use, const std::string& handle_maker) {
  return {{"uptime",
           {{"process", use.seconds ? Json(*use.seconds) : Json(nullptr)},
            {"machine", use.machine_seconds ? Json(*use.machine_seconds) : Json(nullptr)}}},
          {"handles",
           {{"count", use.handle_count},
            {"limit", number_or_nothing(use.handle_limit)},
            {"full", use.handles_are_full()},
            {"types", use.handles},
            {"maker", utf8(handle_maker)}}},
          {"memory",
           {{"resident", number_or_nothing(use.resident)},
            {"most_resident", number_or_nothing(use.most_resident)},
            {"swapped", number_or_nothing(use.swapped)},
            {"address_space", number_or_nothing(use.address_space)},
            {"address_space_limit", number_or_nothing(use.address_space_limit)},
            {"data_limit", number_or_nothing(use.data_limit)}}},
          {"cgroup",
           {{"path", utf8(use.cgroup)},
            {"memory", number_or_nothing(use.cgroup_memory)},
            {"limit", number_or_nothing(use.cgroup_limit)},
            {"oom_kills", number_or_nothing(use.oom_kills)},
            {"processes", number_or_nothing(use.cgroup_processes)},
            {"process_limit", number_or_nothing(use.process_limit)}}}};
}

}  // namespace culprit
