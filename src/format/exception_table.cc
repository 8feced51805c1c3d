#include "format/exception_table.h"

#include "format/eh_pointer.h"

namespace culprit {
namespace {

constexpr uint8_t omitted = 0xff;

}  // namespace

ExceptionWay way_of_exception(Bytes table, uint64_t address, uint64_t pc) {
  ByteReader header(table);
  // Where landing pads are counted from, which is not asked for; then how far the types are, which follow the rows.
  if (auto encoding = header.take<uint8_t>(); encoding != omitted) take_pointer(header, encoding, {address, 0});
  if (header.take<uint8_t>() != omitted) header.take_uleb128();
  auto encoding = header.take<uint8_t>();
  ByteReader rows(header.take_bytes(header.take_uleb128()));
  if (!header) return ExceptionWay::unknown;
  while (!rows.at_end()) {
    auto start = take_length(rows, encoding), length = take_length(rows, encoding), pad = take_length(rows, encoding);
    rows.take_uleb128();  // what is caught there
    if (!rows) return ExceptionWay::unknown;
    // They ascend.
    if (pc < *start) return ExceptionWay::forbidden;
    if (pc - *start < *length) return *pad == 0 ? ExceptionWay::passes : ExceptionWay::lands;
  }
  return ExceptionWay::forbidden;
}

}  // namespace culprit
