#include "analysis/sanitizer_report.h"

#include <fmt/format.h>

#include <array>

namespace culprit {
namespace {

constexpr uint64_t page = 4096;
constexpr uint64_t largest_mapping = 64 << 20;  // its shadow and heap are larger, and the report's buffer is 64 KiB
constexpr size_t most_pages = 100'000;

// From the report's beginning: a line of "=", then this.
std::string first_line(std::string_view text, uint32_t pid) {
  std::string head = fmt::format("=={}==ERROR: AddressSanitizer: ", pid);
  size_t at = text.find(head);
  if (at == text.npos || !text.starts_with("==")) return {};
  text.remove_prefix(at + head.size());
  text = text.substr(0, text.find_first_of(std::string_view("\n\0", 2)));
  return std::string(text.substr(0, text.find(" at pc ")));
}

}  // namespace

std::string read_sanitizer_report(Target& target) {
  size_t pages = 0;
  for (const TargetMapping& mapping : target.mappings()) {
    bool may_hold_it = mapping.path.empty() && mapping.is_readable && mapping.is_writable &&
                       mapping.end - mapping.start <= largest_mapping;
    if (!may_hold_it) continue;
    for (uint64_t at = mapping.start; at < mapping.end; at += page) {
      if (++pages > most_pages) return {};
      std::array<char, 512> text;
      if (!target.memory().read(at, std::as_writable_bytes(std::span(text)))) continue;
      std::string line = first_line(std::string_view(text.data(), text.size()), target.info().pid);
      if (!line.empty()) return line;
    }
  }
  return {};
}

}  // namespace culprit
