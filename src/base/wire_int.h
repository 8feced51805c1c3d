// Integers as they lie in files: little-endian, at any alignment. A struct of these can be laid over bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace culprit {

template <typename T>
  requires std::is_integral_v<T>
class Le {
 public:
  Le() = default;
  constexpr Le(T value) {  // NOLINT(google-explicit-constructor): reads and writes like the integer it is
    for (unsigned char& byte : bytes_) {
      byte = static_cast<unsigned char>(value);
      value = static_cast<T>(static_cast<std::make_unsigned_t<T>>(value) >> (sizeof(T) > 1 ? 8 : 0));
    }
  }
  constexpr operator T() const {  // NOLINT(google-explicit-constructor)
    std::make_unsigned_t<T> value = 0;
    for (size_t i = sizeof(T); i-- > 0;) value = static_cast<decltype(value)>((uint64_t{value} << 8) | bytes_[i]);
    return static_cast<T>(value);
  }

 private:
  unsigned char bytes_[sizeof(T)];
};

}  // namespace culprit
