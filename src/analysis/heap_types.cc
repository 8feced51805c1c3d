#include "analysis/heap_types.h"

#include <algorithm>
#include <array>

#include "analysis/target_names.h"
#include "symbols/demangle.h"

namespace culprit {

namespace {

constexpr size_t longest_name = 4096;  // of the linker

bool may_be_in_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '$' || c == '.';
}

std::string text_at(MemoryReader& memory, uint64_t address) {
  std::string text;
  while (text.size() < longest_name) {
    std::array<char, 64> piece;
    const uint64_t size = piece.size() - address % piece.size();  // within a page
    if (!memory.read(address, std::as_writable_bytes(std::span(piece).first(size)))) return {};
    char* end = std::find(piece.data(), piece.data() + size, '\0');
    text.append(piece.data(), end);
    if (end != piece.data() + size) return text;
    address += size;
  }
  return {};
}

std::string without_beginning(const std::string& name, std::string_view beginning) {
  return name.starts_with(beginning) ? name.substr(beginning.size()) : "";
}

}  // namespace

std::string HeapTypes::by_type_information(uint64_t table) {
  MemoryReader& memory = target_.memory();
  auto offset_to_top = memory.word(table - 16), information = memory.word(table - 8);
  // An object at the beginning of a block is a whole one.
  if (!offset_to_top || *offset_to_top != 0 || !information || target_.module_at(*information) == nullptr) return {};
  auto kind = memory.word(*information), name = memory.word(*information + 8);
  if (!kind || !name || target_.module_at(*kind) == nullptr || target_.module_at(*name) == nullptr) return {};
  std::string text = text_at(memory, *name);
  if (text.starts_with('*')) text.erase(0, 1);  // of a class that is local to its file
  if (text.empty() || !std::ranges::all_of(text, may_be_in_name)) return {};
  return without_beginning(demangle("_ZTS" + text), "typeinfo name for ");
}

std::string HeapTypes::by_symbol(uint64_t table) {
  const TargetModule* module = target_.module_at(table);
  if (module == nullptr) return {};
  auto symbol = names_.covering(openable(*module), table - module->bias);
  if (!symbol || table - module->bias != symbol->address + 16) return {};
  return without_beginning(symbol->name, "vtable for ");
}

const std::string& HeapTypes::name_of(uint64_t table) {
  auto [place, is_new] = known_.try_emplace(table);
  if (is_new) place->second = by_type_information(table);
  if (is_new && place->second.empty()) place->second = by_symbol(table);
  return place->second;
}

}  // namespace culprit
