#include "view/catch_report.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <ctime>

#include "base/text.h"
#include "view/json.h"
#include "view/report_json.h"
#include "view/text_style.h"

namespace culprit {
namespace {

Json caught_json(const CaughtCrash& crash) {
  return {{"number", crash.number},         {"time", crash.time},
          {"program", utf8(crash.program)}, {"pid", crash.pid},
          {"signal", crash.signal},         {"sentence", utf8(crash.sentence)},
          {"bucket", utf8(crash.bucket)},   {"problem", utf8(crash.problem)},
          {"core_bytes", crash.core_bytes}, {"seconds", crash.seconds},
          {"finished", crash.is_finished}};
}

std::string time_words(time_t when) {
  tm local{};
  localtime_r(&when, &local);
  return fmt::format("{:%Y-%m-%d %H:%M:%S}", local);
}

constexpr std::string_view unfinished = "not finished: still being looked at, or its handler was killed";

std::string line_of_damaged(const CaughtCrash& crash) {
  std::string rest = crash.is_finished
                         ? fmt::format("`culprit catch show {}` has its page, if that is there", crash.number)
                         : std::string(unfinished);
  return fmt::format("{:>6}  its crash.json cannot be read\n        {}\n", crash.number, rest);
}

std::string line_of(const CaughtCrash& crash) {
  if (crash.is_damaged) return line_of_damaged(crash);
  std::string program = crash.program.empty() ? "unknown program" : printable(crash.program);
  std::string who = crash.pid == 0 ? program : fmt::format("{} ({})", program, crash.pid);
  std::string what = !crash.is_finished      ? std::string(unfinished)
                     : crash.problem.empty() ? printable(crash.sentence)
                                             : "no page: " + printable(crash.problem);
  std::string core = crash.core_bytes == 0 ? "" : fmt::format(", core kept ({})", bytes_in_words(crash.core_bytes));
  std::string first =
      fmt::format("{:>6}  {}  {}  {}{}\n", crash.number, time_words(crash.time), who, crash.signal, core);
  return first + "        " + wrapped(what, 80, 8, 8) + "\n";
}

}  // namespace

std::string caught_as_json(const CaughtCrash& crash) { return json_text(caught_json(crash)); }

std::optional<CaughtCrash> caught_from_json(std::string_view text) {
  Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return {};
  CaughtCrash crash;
  try {
    auto take = [&](const char* key, auto& value) {
      value = json.at(key).get<std::remove_reference_t<decltype(value)>>();
    };
    take("number", crash.number), take("time", crash.time), take("program", crash.program), take("pid", crash.pid);
    take("signal", crash.signal), take("sentence", crash.sentence), take("bucket", crash.bucket);
    take("problem", crash.problem), take("core_bytes", crash.core_bytes), take("seconds", crash.seconds);
    take("finished", crash.is_finished);
  } catch (const Json::exception&) {
    return {};
  }
  return crash;
}

std::string caught_list_as_text(const CatchState& state, const std::vector<CaughtCrash>& crashes) {
  std::string text;
  for (const CaughtCrash& crash : crashes) text += line_of(crash);
  if (crashes.empty()) text += "no crash was caught yet\n";
  if (state.not_looked_at != 0)
    text += fmt::format("{} not looked at: too many at a time, or no room; {}/missed has a line for each\n",
                        counted(state.not_looked_at, "crash", "crashes"), state.folder);
  if (!state.settings_problem.empty()) text += wrapped(state.settings_problem, 80, 0, 0) + "\n";
  if (!state.is_installed)
    return text + fmt::format("not installed: the kernel's core_pattern is \"{}\"\n", printable(state.pattern));
  if (!state.former) return text + "installed; what the kernel's core_pattern was before is not known\n";
  return text + fmt::format("installed; before, the kernel's core_pattern was \"{}\"\n", printable(*state.former));
}

std::string caught_list_as_json(const CatchState& state, const std::vector<CaughtCrash>& crashes) {
  return json_text(
      {{"schema", json_schema},
       {"folder", utf8(state.folder)},
       {"installed", state.is_installed},
       {"core_pattern", utf8(state.pattern)},
       {"former_core_pattern", state.is_installed && state.former ? Json(utf8(*state.former)) : Json(nullptr)},
       {"not_looked_at", state.not_looked_at},
       {"settings_problem", state.settings_problem.empty() ? Json(nullptr) : Json(utf8(state.settings_problem))},
       {"crashes", list_json(crashes, [](const CaughtCrash& crash) {
          Json json = caught_json(crash);
          json["damaged"] = crash.is_damaged;
          return json;
        })}});
}

}  // namespace culprit
