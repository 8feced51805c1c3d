#include "target/link_map.h"

#include <array>
#include <climits>

namespace culprit {

namespace {

constexpr uint64_t tag_end = 0, tag_debug = 21;          // DT_NULL, DT_DEBUG
constexpr uint64_t list_of_debug = 8;                    // r_debug.r_map
constexpr size_t most_entries = 4096, most_tags = 1024;  // of a chain, and of a table, that may be damaged

struct RawLinkMap {
  uint64_t bias, name, dynamic, next;
};

template <typename T>
bool read_value(MemoryReader& memory, uint64_t address, T& into) {
  return memory.read(address, std::as_writable_bytes(std::span(&into, 1)));
}

uint64_t debug_address(MemoryReader& memory, uint64_t dynamic) {
  struct {
    uint64_t tag, value;
  } entry{};
  for (size_t i = 0; i < most_tags; ++i, dynamic += sizeof entry) {
    if (!read_value(memory, dynamic, entry) || entry.tag == tag_end) return 0;
    if (entry.tag == tag_debug) return entry.value;
  }
  return 0;
}

}  // namespace

std::string text_at(MemoryReader& memory, uint64_t address) {
  std::string text;
  std::array<char, 64> piece{};
  for (size_t size = piece.size(); text.size() < PATH_MAX;) {
    std::span<char> some(piece.data(), size);
    if (!memory.read(address + text.size(), std::as_writable_bytes(some))) {
      if (size == 1) return {};
      size = 1;  // the text may end right before what is not there
      continue;
    }
    std::string_view found(some.data(), size);
    text += found.substr(0, found.find('\0'));
    if (found.find('\0') != std::string_view::npos) return text;
  }
  return {};
}

std::vector<LoadedObject> loaded_objects(MemoryReader& memory, uint64_t dynamic) {
  std::vector<LoadedObject> objects;
  uint64_t debug = debug_address(memory, dynamic);
  if (debug == 0) return objects;
  RawLinkMap raw{};
  for (uint64_t at = memory.word(debug + list_of_debug).value_or(0); at != 0 && objects.size() < most_entries;
       at = raw.next) {
    if (!read_value(memory, at, raw)) break;
    objects.push_back({text_at(memory, raw.name), raw.bias, raw.dynamic});
  }
  return objects;
}

}  // namespace culprit
