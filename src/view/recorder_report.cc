#include "view/recorder_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.h"
#include "view/json.h"

namespace culprit {

namespace {

constexpr std::array<std::string_view, 3> state_words{"recording", "ended", "died"};

Json report_json(const RecorderReport& report) {
  return {{"name", utf8(report.name)},
          {"pid", report.pid},
          {"state", state_words[static_cast<size_t>(report.state)]},
          {"what", utf8(report.what)},
          {"back_end", report.back_end},
          {"refused", report.refused},
          {"file", utf8(report.file)},
          {"ended_because", utf8(report.ended_because)},
          {"trouble", utf8(report.trouble)},
          {"circular", report.circular},
          {"limit", report.limit},
          {"bytes", report.bytes},
          {"events", report.events},
          {"lost", report.lost},
          {"rate", report.rate},
          {"processes", report.processes},
          {"elapsed", report.elapsed},
          {"complete_from", report.complete_from},
          {"cpu", report.cpu},
          {"memory", report.memory},
          {"longest_stop", report.longest_stop}};
}

// "12,345 events of 12 s (1.2 MB)"
std::string amount(const RecorderReport& report) {
  return fmt::format("{} events of {}{} ({})", with_thousands(report.events), duration_in_words(report.elapsed),
                     report.lost > 0 ? fmt::format(", {} lost", with_thousands(report.lost)) : "",
                     bytes_in_words(report.bytes));
}

std::string space(const RecorderReport& report) {
  std::string text = bytes_in_words(report.bytes);
  if (report.limit > 0)
    text += fmt::format(" of {}{}", bytes_in_words(report.limit), report.circular ? ", circular" : "");
  if (report.complete_from > 0)
    text += fmt::format("; holds the last {}", duration_in_words(report.elapsed - report.complete_from));
  return text;
}

std::string trouble_line(const RecorderReport& report) {
  return report.trouble.empty() ? "" : fmt::format("  trouble  {}\n", printable(report.trouble));
}

std::string status_of_one(const RecorderReport& report) {
  const std::string name = printable(report.name), file = printable(report.file), what = printable(report.what);
  if (report.state == RecorderState::died)
    return fmt::format("{}: died while it recorded {}\n  file     {}, readable up to its last whole block\n{}", name,
                       what, file, trouble_line(report));
  if (report.state == RecorderState::ended)
    return fmt::format("{}: ended, as {}\n  file     {}\n  holds    {}\n{}", name, printable(report.ended_because),
                       file, amount(report), trouble_line(report));
  const double share = report.elapsed > 0 ? 100 * report.cpu / report.elapsed : 0;
  std::string text =
      fmt::format("{}: records {} by {} for {}\n", name, what, report.back_end, duration_in_words(report.elapsed));
  text += fmt::format("  events   {} ({}/s lately), {} lost; {} alive\n", with_thousands(report.events),
                      with_thousands(static_cast<uint64_t>(report.rate + 0.5)), with_thousands(report.lost),
                      counted(report.processes, "process", "processes"));
  text += fmt::format("  file     {}\n  size     {}\n", file, space(report));
  text += fmt::format("  cost     {:.2f} s of CPU ({:.1f} % of one), {} of memory\n", report.cpu, share,
                      bytes_in_words(report.memory));
  if (report.longest_stop > 0)
    text += fmt::format("  stopped  a thread for {:.1f} ms at most\n", report.longest_stop * 1e3);
  return text + trouble_line(report);
}

}  // namespace

std::string recorder_begun_text(const RecorderReport& report) {
  std::string text = fmt::format("{}: records {} by {} into\n  {}\n", printable(report.name), printable(report.what),
                                 report.back_end, printable(report.file));
  for (const std::string& reason : report.refused) text += fmt::format("  not by {}\n", printable(reason));
  return text + fmt::format("to end it: culprit record stop {}\n", printable(report.name));
}

std::string recorder_status_text(const std::vector<RecorderReport>& reports) {
  if (reports.empty()) return "no recorder is at work\n";
  std::string text;
  for (const RecorderReport& report : reports) text += status_of_one(report);
  return text;
}

std::string recorder_ended_text(const RecorderReport& report) {
  const std::string file = printable(report.file);
  if (report.state == RecorderState::died) return status_of_one(report);
  std::string text = fmt::format("{}: {}\n  {}\n", printable(report.name), amount(report), file);
  if (report.complete_from > 0)
    text += fmt::format("  it holds the last {}\n", duration_in_words(report.elapsed - report.complete_from));
  return text + trouble_line(report) + fmt::format("to look at it: culprit handles {}\n", file);
}

std::string recorder_as_json(const RecorderReport& report) {
  Json json = {{"schema", json_schema}};
  json.update(report_json(report));
  return json_text(json);
}

std::string recorders_as_json(const std::vector<RecorderReport>& reports) {
  Json list = Json::array();
  for (const RecorderReport& report : reports) list.push_back(report_json(report));
  return json_text({{"schema", json_schema}, {"recorders", list}});
}

std::optional<RecorderReport> recorder_from_json(std::string_view text) {
  Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return {};
  RecorderReport report;
  try {
    auto take = [&](const char* key, auto& value) {
      value = json.at(key).get<std::remove_reference_t<decltype(value)>>();
    };
    std::string state;
    take("name", report.name), take("pid", report.pid), take("state", state), take("what", report.what);
    take("back_end", report.back_end), take("refused", report.refused), take("file", report.file);
    take("ended_because", report.ended_because), take("trouble", report.trouble), take("circular", report.circular);
    take("limit", report.limit), take("bytes", report.bytes), take("events", report.events), take("lost", report.lost);
    take("rate", report.rate), take("processes", report.processes), take("elapsed", report.elapsed);
    take("complete_from", report.complete_from), take("cpu", report.cpu), take("memory", report.memory);
    take("longest_stop", report.longest_stop);
    auto known = std::find(state_words.begin(), state_words.end(), state);
    if (known == state_words.end()) return {};
    report.state = static_cast<RecorderState>(known - state_words.begin());
  } catch (const Json::exception&) {
    return {};
  }
  return report;
}

}  // namespace culprit
