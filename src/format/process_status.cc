#include "format/process_status.h"

#include "format/fields.h"

namespace culprit {
namespace {

// Of a line "Key:\tvalue"; empty: there is none.
std::string_view value_of(std::string_view status, std::string_view key) {
  while (!status.empty()) {
    std::string_view value = take_line(status);
    if (take_until(value, ':') == key) return without_leading_space(value);
  }
  return {};
}

std::optional<uint64_t> kilobytes(std::string_view value) {
  auto number = leading_number<uint64_t>(value);
  return number && *number <= UINT64_MAX / 1024 ? std::optional(*number * 1024) : std::nullopt;
}

}  // namespace

std::optional<SignalSets> parse_signal_sets(std::string_view status) {
  auto ignored = leading_number<uint64_t>(value_of(status, "SigIgn"), 16);
  auto caught = leading_number<uint64_t>(value_of(status, "SigCgt"), 16);
  if (!ignored || !caught) return {};
  return SignalSets{*ignored, *caught};
}

MemoryUse parse_memory_use(std::string_view status) {
  return {.resident = kilobytes(value_of(status, "VmRSS")),
          .most_resident = kilobytes(value_of(status, "VmHWM")),
          .swapped = kilobytes(value_of(status, "VmSwap")),
          .address_space = kilobytes(value_of(status, "VmSize"))};
}

std::optional<double> parse_uptime(std::string_view text) {
  auto seconds = leading_number<uint64_t>(take_until(text, '.'));
  auto hundredths = leading_number<uint64_t>(text.substr(0, 2));
  if (!seconds || !hundredths) return {};
  return static_cast<double>(*seconds) + static_cast<double>(*hundredths) / 100;
}

}  // namespace culprit
