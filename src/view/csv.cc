#include "view/csv.h"

#include <fmt/format.h>

#include <cmath>

#include "base/text.h"

namespace culprit {

CsvRow& CsvRow::cell(std::string_view written) {
  if (!first_) line_ += ',';
  first_ = false;
  line_ += written;
  return *this;
}

CsvRow& CsvRow::text(std::string_view foreign) {
  std::string shown = printable(foreign);
  if (!shown.empty() && std::string_view("=+-@").find(shown.front()) != std::string_view::npos) shown.insert(0, "'");
  if (shown.find_first_of(",\"") == std::string::npos) return cell(shown);
  std::string quoted = "\"";
  for (char c : shown) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return cell(quoted + "\"");
}

CsvRow& CsvRow::number(uint64_t number) { return cell(fmt::to_string(number)); }

CsvRow& CsvRow::number(double number) { return cell(std::isfinite(number) ? fmt::format("{:.9g}", number) : ""); }

}  // namespace culprit
