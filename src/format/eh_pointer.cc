#include "format/eh_pointer.h"

namespace culprit {

namespace {

constexpr uint8_t encoding_omit = 0xff, encoding_indirect = 0x80;
constexpr uint8_t relative_to_pc = 0x10, relative_to_data = 0x30;

uint64_t take_value(ByteReader& reader, uint8_t format) {
  switch (format) {
    case 0x0:  // absptr
    case 0x4:  // udata8
    case 0xc:  // sdata8
      return reader.take<uint64_t>();
    case 0x1:
      return reader.take_uleb128();
    case 0x2:
      return reader.take<uint16_t>();
    case 0x3:
      return reader.take<uint32_t>();
    case 0x9:
      return static_cast<uint64_t>(reader.take_sleb128());
    case 0xa:
      return static_cast<uint64_t>(int64_t{reader.take<int16_t>()});
    case 0xb:
      return static_cast<uint64_t>(int64_t{reader.take<int32_t>()});
    default:
      reader.fail();
      return 0;
  }
}

}  // namespace

std::optional<uint64_t> take_pointer(ByteReader& reader, uint8_t encoding, const PointerBases& bases) {
  uint64_t base = 0;
  uint8_t relation = encoding & 0x70;
  if (relation == relative_to_pc) base = bases.section + reader.position();
  if (relation == relative_to_data) base = bases.data;
  bool is_known = relation == 0 || relation == relative_to_pc || (relation == relative_to_data && bases.data != 0);
  if (encoding == encoding_omit || (encoding & encoding_indirect) != 0 || !is_known) reader.fail();
  uint64_t value = take_value(reader, encoding & 15);
  if (!reader) return {};
  return base + value;
}

}  // namespace culprit
