#include "view/machine_report.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "view/json.h"

namespace culprit {

namespace {

constexpr size_t finding_column = 6;

void print_check(std::string& out, const MachineCheck& check, size_t name_width, const TextStyle& style) {
  std::string verdict = check.works ? inked(style, Ink::good, "works") : inked(style, Ink::bad, "no   ");
  size_t column = 2 + finding_column + name_width + 2;
  size_t end = std::max(style.columns, column + 20);
  out += fmt::format("  {} {}  {}\n", verdict, padded(printable(check.name), name_width),
                     wrapped(printable(check.finding), end, column, column));
  if (check.remedy.empty()) return;
  out += std::string(column, ' ') + inked(style, Ink::warning, "do:") + " " +
         wrapped(printable(check.remedy), end, column + 4, column + 4) + "\n";
}

}  // namespace

std::string machine_as_text(const MachineReport& report, const TextStyle& style) {
  size_t name_width = 0;
  for (const MachineArea& area : report.areas)
    for (const MachineCheck& check : area.checks)
      name_width = std::max(name_width, display_width(printable(check.name)));
  std::string out = fmt::format("culprit {} on {}\n", report.version, printable(report.machine));
  for (const MachineArea& area : report.areas) {
    out += "\n" + wrapped(fmt::format("{}: {}", inked(style, Ink::strong, area.name), area.use), style.columns, 0, 2) +
           "\n";
    for (const MachineCheck& check : area.checks) print_check(out, check, name_width, style);
  }
  return out;
}

std::string machine_as_json(const MachineReport& report) {
  Json checks = Json::array();
  for (const MachineArea& area : report.areas)
    for (const MachineCheck& check : area.checks)
      checks.push_back({{"area", area.name},
                        {"name", utf8(check.name)},
                        {"works", check.works},
                        {"finding", utf8(check.finding)},
                        {"remedy", utf8(check.remedy)}});
  Json answer = {{"schema", json_schema},     {"target", "this machine"}, {"machine", utf8(report.machine)},
                 {"version", report.version}, {"losses", Json::array()},  {"exact", true},
                 {"checks", checks}};
  return json_text(answer);
}

}  // namespace culprit
