// Who left a core, as far as that stands in it whatever its processor: for cores that cannot be read further.
#pragma once

#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/result.h"

namespace culprit {

struct CoreOutline {
  bool is_core = false;
  bool is_64_bit = false;
  std::string architecture;  // "x86-64", "aarch64", "machine 7"
  // Empty and 0: not known.
  std::string name;
  uint32_t pid = 0;
  int32_t signal = 0;
};

// Of a little-endian ELF file of 32 or 64 bits. unsupported: big-endian; corrupt: no ELF file.
Result<CoreOutline> outline_core(Bytes file);

}  // namespace culprit
