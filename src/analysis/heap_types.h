// The class of a C++ object, from the table of its virtual functions.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>

#include "symbols/symbol_names.h"
#include "target/target.h"

namespace culprit {

// From the run-time type information before the table (Itanium C++ ABI, 2.9.4), which stripped programs have, too; of
// programs built without it, from symbols. Not thread-safe.
class HeapTypes {
 public:
  // The target must outlive it.
  explicit HeapTypes(Target& target, SymbolOptions options = {}) : target_(target), names_(std::move(options)) {}

  // "Order", "ns::Queue<int>"; foreign. Empty: no such table is there.
  const std::string& name_of(uint64_t table);

 private:
  std::string by_type_information(uint64_t table);
  std::string by_symbol(uint64_t table);

  Target& target_;
  SymbolNames names_;
  std::unordered_map<uint64_t, std::string> known_;
};

}  // namespace culprit
