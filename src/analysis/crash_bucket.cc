#include "analysis/crash_bucket.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/md5.h"
#include "model/signals.h"
#include "symbols/function_name.h"

namespace culprit {
namespace {

std::string sanitised(std::string_view text) {
  constexpr std::string_view kept = ":.,!_-~+=[]{}@$%&#'^";
  std::string result(text);
  for (char& c : result) {
    bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (!is_plain && kept.find(c) == kept.npos) c = '_';
  }
  return result;
}

}  // namespace

std::string crash_bucket(CrashCause cause, int32_t signal, const ReportFrame* frame) {
  std::string module = "Unknown", function = "Unknown";
  if (frame != nullptr && !frame->module.empty()) module = frame->module.substr(frame->module.rfind('/') + 1);
  if (frame != nullptr && !frame->function.empty()) function = qualified_name(frame->function);
  std::string by = signal == 0 ? "" : "_" + signal_name(signal);
  return fmt::format("{}{}_{}!{}", info_of(cause).bucket, sanitised(by), sanitised(module), sanitised(function));
}

std::string bucket_hash(std::string_view bucket) {
  std::string wide;
  for (char c : "um:" + std::string(bucket)) {
    wide += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    wide += '\0';
  }
  auto digest = md5(as_bytes(wide));
  // A GUID's first three fields are little-endian numbers.
  constexpr size_t order[] = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};
  std::string hash = "{";
  for (size_t i = 0; i < std::size(order); ++i)
    hash += fmt::format("{}{:02x}", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", digest[order[i]]);
  return hash + "}";
}

}  // namespace culprit
