// Encoded pointers of .eh_frame and .eh_frame_hdr (LSB "DWARF Exception Header Encoding").
#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.h"

namespace culprit {

struct PointerBases {
  uint64_t section = 0;  // address of the reader's first byte: pc-relative
  uint64_t data = 0;     // data-relative; 0: not known
};

// Nothing, and the reader failed: omitted, indirect, of unknown form, or relative to something not known.
std::optional<uint64_t> take_pointer(ByteReader& reader, uint8_t encoding, const PointerBases& bases);

// Only the format nibble counts: sizes and lengths are relative to nothing.
inline std::optional<uint64_t> take_length(ByteReader& reader, uint8_t encoding) {
  return take_pointer(reader, encoding & 15, {});
}

}  // namespace culprit
