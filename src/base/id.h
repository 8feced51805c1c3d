// Ids are enum classes over uint32_t (so that a StackId is never taken for a ModuleId); this is their arithmetic.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace culprit {

template <typename Id>
  requires std::is_enum_v<Id>
constexpr size_t index_of(Id id) {
  return static_cast<size_t>(static_cast<uint32_t>(id));
}

template <typename Id>
  requires std::is_enum_v<Id>
constexpr Id id_at(size_t index) {
  return static_cast<Id>(static_cast<uint32_t>(index));
}

}  // namespace culprit
