#include "analysis/crash_address.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "analysis/crash_scene.h"
#include "base/text.h"

namespace culprit {
namespace {

constexpr uint64_t near_enough = 1 << 20;  // to tell how far it is

// Pointers that were overwritten by a string consist of its characters.
std::string as_characters(uint64_t address) {
  std::array<char, 8> bytes;
  std::memcpy(bytes.data(), &address, bytes.size());
  size_t size = bytes.size();
  while (size > 0 && bytes[size - 1] == '\0') --size;
  constexpr size_t fewest = 6;
  bool is_text = size >= fewest && std::all_of(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(size),
                                               [](char c) { return c >= ' ' && c <= '~'; });
  return is_text ? std::string(bytes.data(), size) : std::string();
}

struct Pattern32 {
  uint32_t value;
  std::string_view meaning;
};
constexpr Pattern32 patterns[] = {
    {0xdeadbeef, "a mark that programs fill memory with"},  {0xcccccccc, "a compiler's filling of fresh stack memory"},
    {0xcdcdcdcd, "a debug heap's filling of fresh blocks"}, {0xdddddddd, "a debug heap's filling of freed blocks"},
    {0xfeeefeee, "a debug heap's filling of freed blocks"}, {0xbebebebe, "AddressSanitizer's filling of fresh blocks"},
    {0x5a5a5a5a, "jemalloc's filling of freed blocks"},     {0xa5a5a5a5, "jemalloc's filling of fresh blocks"},
};

std::string pattern_words(uint64_t address) {
  for (const Pattern32& pattern : patterns) {
    bool is_twice = static_cast<uint32_t>(address >> 32) == pattern.value;
    // An offset may have been added.
    uint64_t low = is_twice ? address & 0xffffffff : address;
    if (low >= pattern.value && low - pattern.value < 4096)
      return fmt::format("it looks like {:#x}, {}", pattern.value, pattern.meaning);
  }
  std::string text = as_characters(address);
  return text.empty() ? "" : fmt::format("its bytes are the text \"{}\"", text);
}

std::string with_pattern(std::string words, uint64_t address) {
  std::string pattern = pattern_words(address);
  return pattern.empty() ? words : words + "; " + pattern;
}

std::string neighbours(Target& target, uint64_t address) {
  const std::vector<TargetMapping>& mappings = target.mappings();
  auto above = std::ranges::upper_bound(mappings, address, {}, &TargetMapping::start);
  std::string words;
  if (above != mappings.begin() && address - std::prev(above)->end < near_enough)
    words += fmt::format(", {} behind {}", bytes_in_words(address - std::prev(above)->end + 1),
                         mapping_words(*std::prev(above)));
  if (above != mappings.end() && above->start - address <= near_enough)
    words += fmt::format(", {} below {}", bytes_in_words(above->start - address), mapping_words(*above));
  return words;
}

}  // namespace

std::string rights_words(const TargetMapping& mapping) {
  std::string words;
  auto add = [&](bool has, std::string_view word) {
    if (has) words += fmt::format("{}{}", words.empty() ? "" : ", ", word);
  };
  add(mapping.is_readable, "readable");
  add(mapping.is_writable, "writable");
  add(mapping.is_executable, "executable");
  return words.empty() ? "not accessible" : words;
}

std::string mapping_words(const TargetMapping& mapping) {
  return mapping.path.empty() ? "anonymous memory" : mapping.path.substr(mapping.path.rfind('/') + 1);
}

std::string describe_address(Target& target, TargetNames& names, uint64_t address) {
  if (address < null_page_end)
    return address == 0 ? "null" : fmt::format("{} bytes behind null, where nothing is ever mapped", address);
  if (0 - address <= null_page_end) return fmt::format("{} bytes before null", 0 - address);
  if (!is_canonical(address)) return with_pattern("no address that x86-64 has (non-canonical)", address);
  if (address >> 63 != 0) return with_pattern("in the kernel's half of the address space", address);
  const TargetMapping* mapping = mapping_at(target, address);
  if (mapping == nullptr) return with_pattern("not mapped" + neighbours(target, address), address);
  std::string name = names.words(address);
  if (name.empty()) name = fmt::format("{}+{:#x}", mapping_words(*mapping), address - mapping->start);
  return fmt::format("in {} ({})", name, rights_words(*mapping));
}

}  // namespace culprit
