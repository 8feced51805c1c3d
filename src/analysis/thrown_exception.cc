#include "analysis/thrown_exception.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "symbols/demangle.h"

namespace culprit {
namespace {

constexpr uint64_t most_stack = 64 * 1024;
constexpr uint64_t class_of_gnu = 0x474e5543432b2b00;        // "GNUCC++\0": _Unwind_Exception::exception_class
constexpr uint64_t class_of_dependent = 0x474e5543432b2b01;  // made by std::rethrow_exception: points to the first
constexpr uint64_t header_size = 32;                         // _Unwind_Exception, which the object follows
constexpr uint64_t type_before = 80;  // __cxa_exception::exceptionType, and __cxa_dependent_exception::primaryException
constexpr size_t longest_text = 4096, most_bases = 32;

std::string text_at(MemoryReader& memory, uint64_t address) {
  std::string text;
  std::array<char, 64> piece;
  while (text.size() < longest_text) {
    // Piece by piece, as the memory may end behind the text.
    size_t size = piece.size() - address % piece.size();
    if (!memory.read(address, std::as_writable_bytes(std::span(piece)).first(size))) return {};
    size_t length = strnlen(piece.data(), size);
    text.append(piece.data(), length);
    if (length < size) return text;
    address += size;
  }
  return text;
}

// std::type_info: the virtual table, then the name. A '*' before it says that it is unique; it is no part of it.
std::string mangled_name(MemoryReader& memory, uint64_t type) {
  auto name = memory.word(type + 8);
  std::string text = name ? text_at(memory, *name) : "";
  return text.starts_with('*') ? text.substr(1) : text;
}

bool is_mangled_type(const std::string& name) {
  constexpr std::string_view beginnings = "0123456789NSPKiljmxybcdefahstwvnoz";
  return !name.empty() && beginnings.find(name.front()) != beginnings.npos &&
         std::ranges::all_of(name, [](unsigned char c) { return c > ' ' && c < 0x7f; });
}

// Whether the object begins with a std::runtime_error or std::logic_error. Of one with a single base,
// __si_class_type_info has it behind the name; of one with several, __vmi_class_type_info has flags, count and a list.
bool has_message(MemoryReader& memory, uint64_t type) {
  for (size_t step = 0; step < most_bases; ++step) {
    std::string name = mangled_name(memory, type);
    if (name == "St13runtime_error" || name == "St11logic_error") return true;
    if (name.empty() || name == "St9exception") return false;
    auto base = memory.word(type + 16);
    if (!base) return false;
    if (is_mangled_type(mangled_name(memory, *base))) {
      type = *base;
      continue;
    }
    // The first base of several, if it is no virtual one and lies at the object's beginning.
    auto first = memory.word(type + 24), flags = memory.word(type + 32);
    if (!first || !flags || (*flags & 1) != 0 || *flags >> 8 != 0) return false;
    type = *first;
  }
  return false;
}

std::optional<ThrownException> exception_at(MemoryReader& memory, uint64_t header) {
  auto kind = memory.word(header);
  if (!kind || (*kind != class_of_gnu && *kind != class_of_dependent)) return {};
  uint64_t object = header + header_size;
  if (*kind == class_of_dependent) {
    auto primary = memory.word(header - type_before);
    if (!primary) return {};
    object = *primary;
  }
  auto type = memory.word(object - header_size - type_before);
  std::string name = type ? mangled_name(memory, *type) : "";
  if (!is_mangled_type(name)) return {};
  ThrownException found{.object = object, .type = demangle("_ZTS" + name)};
  constexpr std::string_view prefix = "typeinfo name for ";
  found.type = found.type.starts_with(prefix) ? found.type.substr(prefix.size()) : name;
  // The virtual table, then a pointer to the text.
  if (has_message(memory, *type))
    if (auto text = memory.word(object + 8)) found.what = text_at(memory, *text);
  return found;
}

}  // namespace

std::optional<ThrownException> find_thrown_exception(MemoryReader& memory, uint64_t from, uint64_t to) {
  std::optional<ThrownException> found;
  uint64_t end = std::min(to, from + most_stack);
  for (uint64_t at = from & ~uint64_t{7}; at < end; at += 8) {
    auto word = memory.word(at);
    if (!word || *word % 8 != 0) continue;
    // Registers that were saved hold the header, or the object.
    for (uint64_t header : {*word, *word - header_size}) {
      auto exception = exception_at(memory, header);
      if (!exception) continue;
      if (!found)
        found = std::move(exception);
      else if (found->object != exception->object)
        found->is_only = false;
    }
  }
  return found;
}

}  // namespace culprit
