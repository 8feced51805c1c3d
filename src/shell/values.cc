#include "shell/values.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>

namespace culprit {

namespace {

struct Unit {
  std::string_view name;
  double nanoseconds;
};
constexpr Unit units[] = {{"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"min", 60e9}, {"m", 60e9}, {"h", 3600e9}};

constexpr std::string_view size_units = "kmgt";

}  // namespace

std::optional<uint64_t> parse_size(std::string_view text) {
  double number = 0;
  auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  if (problem != std::errc{} || !std::isfinite(number) || number < 0) return {};
  std::string_view unit = text.substr(static_cast<size_t>(end - text.data()));
  if (unit.empty()) return {};
  size_t power = size_units.find(static_cast<char>(std::tolower(static_cast<unsigned char>(unit[0]))));
  if (power == size_units.npos || (unit.size() > 1 && unit.substr(1) != "B" && unit.substr(1) != "iB")) return {};
  double bytes = number * std::pow(1024.0, static_cast<double>(power + 1));
  if (bytes < 1 || bytes > 9e18) return {};
  return static_cast<uint64_t>(bytes);
}

std::optional<int64_t> parse_duration(std::string_view text) {
  double number = 0;
  auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  if (problem != std::errc{} || !std::isfinite(number) || number < 0) return {};
  std::string_view name = text.substr(static_cast<size_t>(end - text.data()));
  if (number == 0 && name.empty()) return 0;
  for (const Unit& unit : units) {
    double nanoseconds = number * unit.nanoseconds;
    if (name == unit.name && nanoseconds < 9e18) return std::llround(nanoseconds);
  }
  return {};
}

std::optional<uint64_t> parse_count(std::string_view text) {
  uint64_t number = 0;
  auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (problem != std::errc{} || end != text.data() + text.size() || number == 0) return {};
  return number;
}

Result<int64_t> parse_handle_value(std::string_view text) {
  const bool is_hex = text.starts_with("0x") || text.starts_with("0X");
  const std::string_view digits = is_hex ? text.substr(2) : text;
  int64_t value = -1;
  auto [end, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), value, is_hex ? 16 : 10);
  if (problem == std::errc{} && end == digits.data() + digits.size() && value >= 0) return value;
  return fail(ErrorKind::usage, fmt::format("--value wants a handle's number, such as 12 or 0x2b4, not '{}'", text));
}

std::vector<std::string> comma_separated(std::string_view list) {
  std::vector<std::string> words;
  while (!list.empty()) {
    const size_t comma = std::min(list.find(','), list.size());
    if (comma != 0) words.emplace_back(list.substr(0, comma));
    list.remove_prefix(std::min(list.size(), comma + 1));
  }
  return words;
}

Result<void> check_value(const OptionRow& option, std::string_view value) {
  auto wants = [&](std::string_view wanted) {
    return fail(ErrorKind::usage, fmt::format("{} wants {}, not '{}'", option.name, wanted, value));
  };
  switch (option.kind) {
    case ValueKind::none:
      return {};
    case ValueKind::file:
      if (value.empty()) return wants("a file name");
      return {};
    case ValueKind::count:
      if (!parse_count(value)) return wants("a whole number from 1 on");
      return {};
    case ValueKind::duration:
      if (!parse_duration(value)) return wants("a duration such as 500ms, 10s or 2min");
      return {};
    case ValueKind::size:
      if (!parse_size(value)) return wants("a size such as 512k, 64M or 8G");
      return {};
    case ValueKind::text:
      if (value.empty() && !may_lack_value(option)) return wants("something");
      return {};
  }
  return {};
}

}  // namespace culprit
