#include "trace/info_record.h"

#include "trace/byte_writer.h"
#include "trace/trace_format.h"

namespace culprit {

namespace {

using trace_format::InfoItem;

// Text of a command may be as long as the kernel's ARG_MAX (2 MiB).
constexpr size_t max_text = size_t{64} << 10;

struct TextRow {
  InfoItem item;
  std::string TraceInfo::*text;
};
constexpr TextRow texts[] = {
    {InfoItem::recorded_by, &TraceInfo::recorded_by},
    {InfoItem::command, &TraceInfo::command},
    {InfoItem::machine, &TraceInfo::machine},
};
struct NumberRow {
  InfoItem item;
  int64_t TraceInfo::*number;
};
constexpr NumberRow numbers[] = {
    {InfoItem::wall_clock_ns, &TraceInfo::wall_clock_ns},
    {InfoItem::started, &TraceInfo::started},
    {InfoItem::ended, &TraceInfo::ended},
};
// Left out where it is 0.
struct SizeRow {
  InfoItem item;
  uint64_t TraceInfo::*size;
};
constexpr SizeRow sizes[] = {
    {InfoItem::circular, &TraceInfo::circular},
    {InfoItem::allocations, &TraceInfo::allocations},
};

}  // namespace

std::string encode_info(const TraceInfo& info) {
  ByteWriter out;
  for (const TextRow& row : texts) {
    out.put_byte(static_cast<uint8_t>(row.item));
    out.put_text(std::string_view(info.*row.text).substr(0, max_text));
  }
  for (const NumberRow& row : numbers) {
    out.put_byte(static_cast<uint8_t>(row.item));
    out.put_uleb128(sizeof(int64_t));
    out.put_raw(info.*row.number);
  }
  for (const SizeRow& row : sizes) {
    if (info.*row.size == 0) continue;
    out.put_byte(static_cast<uint8_t>(row.item));
    out.put_uleb128(sizeof(uint64_t));
    out.put_raw(info.*row.size);
  }
  return std::string(out.view());
}

std::optional<TraceInfo> parse_info(Bytes bytes) {
  TraceInfo info;
  ByteReader reader(bytes);
  while (reader && !reader.at_end()) {
    auto item = static_cast<InfoItem>(reader.take<uint8_t>());
    Bytes content = reader.take_bytes(reader.take_uleb128());
    for (const TextRow& row : texts) {
      if (row.item == item) info.*row.text = as_text(content);
    }
    for (const NumberRow& row : numbers) {
      if (row.item != item) continue;
      if (content.size() != sizeof(int64_t)) return std::nullopt;
      info.*row.number = ByteReader(content).take<int64_t>();
    }
    for (const SizeRow& row : sizes) {
      if (row.item != item) continue;
      if (content.size() != sizeof(uint64_t)) return std::nullopt;
      info.*row.size = ByteReader(content).take<uint64_t>();
    }
  }
  return reader ? std::optional(info) : std::nullopt;
}

}  // namespace culprit
