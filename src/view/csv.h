// Rows of comma-separated values as RFC 4180 has them, for spreadsheets and scripts.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace culprit {

class CsvRow {
 public:
  // Foreign text: UTF-8, control characters as escapes; what a spreadsheet would take for a formula gets an apostrophe.
  CsvRow& text(std::string_view foreign);
  CsvRow& number(uint64_t number);
  CsvRow& number(double number);
  CsvRow& empty() { return cell(""); }

  std::string line() && { return std::move(line_) + "\n"; }

 private:
  CsvRow& cell(std::string_view written);
  std::string line_;
  bool first_ = true;
};

}  // namespace culprit
