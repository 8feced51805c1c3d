#include "trace/block_scan.h"

#include <fmt/format.h>

#include <utility>

#include "trace/info_record.h"

namespace culprit {

using namespace trace_format;

Result<FileHeader> read_file_header(const RecordingBytes& bytes, const std::string& name, Checksums checksums) {
  if (bytes.size() == 0) return fail(ErrorKind::corrupt, name + " is empty, not a recording", 0);
  std::string buffer, info_buffer;
  auto magic = bytes.read(0, std::min<uint64_t>(bytes.size(), file_magic.size()), buffer);
  if (!magic) return fail(ErrorKind::system, "cannot read " + name, 0);
  if (as_text(*magic) != file_magic.substr(0, magic->size())) {
    return fail(ErrorKind::corrupt, name + " is not a culprit recording (it does not begin like one, at offset 0)", 0);
  }
  auto cut = [&] {
    return fail(ErrorKind::corrupt, fmt::format("{} ends at offset {}, inside its header", name, bytes.size()),
                bytes.size());
  };
  auto raw_bytes = bytes.read(0, sizeof(RawFileHeader), buffer);
  if (!raw_bytes) return cut();
  auto raw = ByteReader(*raw_bytes).take<RawFileHeader>();
  if (raw.major > major_version) {
    return fail(
        ErrorKind::unsupported,
        fmt::format("{} was written by a newer culprit (format {}.{} at offset {}; this one reads up to {}.x)", name,
                    uint16_t{raw.major}, uint16_t{raw.minor}, offsetof(RawFileHeader, major), major_version),
        offsetof(RawFileHeader, major));
  }
  auto damaged = [&](uint64_t offset) {
    return fail(ErrorKind::corrupt, fmt::format("the header of {} is damaged (at offset {})", name, offset), offset);
  };
  if (raw.major == 0) return damaged(offsetof(RawFileHeader, major));
  if (raw.info_size > max_info_size) return damaged(offsetof(RawFileHeader, info_size));
  auto record = bytes.read(sizeof raw, raw.info_size, info_buffer);
  if (!record) return cut();
  std::string checked(as_text(raw_bytes->first(offsetof(RawFileHeader, checksum))));
  checked += as_text(*record);
  if (checksums == Checksums::verify && checksum_of(checked) != raw.checksum) {
    return damaged(offsetof(RawFileHeader, checksum));
  }
  auto info = parse_info(*record);
  if (!info) return damaged(sizeof raw);
  return FileHeader{std::move(*info), sizeof raw + raw.info_size};
}

namespace {

class Scanner {
 public:
  Scanner(const RecordingBytes& bytes, DefinitionsReader& definitions, Checksums checksums)
      : bytes_(bytes), definitions_(definitions), checksums_(checksums) {}

  BlockScan scan(uint64_t offset) {
    while (offset < bytes_.size()) offset = scan_one(offset);
    // What is unreadable at the very end is the cut-off end of an incomplete recording, unless more is known.
    if (in_damage_ && !cut_) note_damage_over(0);
    return std::move(scan_);
  }

 private:
  uint64_t scan_one(uint64_t offset);
  void read_block(const BlockHeader& header, uint64_t offset, Bytes payload);
  void enter_damage(uint64_t offset) {
    if (scan_.damaged == 0 && !in_damage_) scan_.first_damage = offset;
    in_damage_ = true;
    scan_.has_end = false;
  }
  void note_damage_over(uint64_t blocks_missing) {
    // The numbers of the blocks around tell how many are missing between; of nonsense, one is counted.
    constexpr uint64_t believable = uint64_t{1} << 32;
    scan_.damaged += blocks_missing > 0 && blocks_missing < believable ? blocks_missing : 1;
    in_damage_ = false;
  }

  const RecordingBytes& bytes_;
  DefinitionsReader& definitions_;
  Checksums checksums_;
  BlockScan scan_;
  uint64_t next_sequence_ = 0;
  bool in_damage_ = false;
  bool cut_ = false;  // the file ends inside a block
  std::string header_buffer_, payload_buffer_;
};

// Returns where to go on. Each byte is looked at a bounded number of times, whatever the headers claim: a header with a
// right checksum is trusted to know where its block ends, and nothing inside is searched for others.
uint64_t Scanner::scan_one(uint64_t offset) {
  bool verify = checksums_ == Checksums::verify;
  auto header_bytes = bytes_.read(offset, sizeof(RawBlockHeader), header_buffer_);
  auto header = header_bytes ? parse_block_header(*header_bytes, verify) : std::nullopt;
  if (!header) {
    enter_damage(offset);
    uint64_t next = bytes_.find(block_magic, offset + 1);
    if (next == bytes_.size() && !header_bytes) cut_ = true;
    return next;
  }
  uint64_t payload_offset = offset + sizeof(RawBlockHeader);
  auto payload = bytes_.read(payload_offset, header->payload_size(), payload_buffer_);
  if (!payload) {  // cut off, unless other blocks follow
    enter_damage(offset);
    uint64_t next = bytes_.find(block_magic, payload_offset);
    cut_ = next == bytes_.size();
    return next;
  }
  if (verify && checksum_of(as_text(*payload)) != header->payload_checksum) {
    enter_damage(offset);
  } else {
    read_block(*header, offset, *payload);
  }
  return payload_offset + payload->size();
}

void Scanner::read_block(const BlockHeader& header, uint64_t offset, Bytes payload) {
  uint64_t missing = header.sequence > next_sequence_ ? header.sequence - next_sequence_ : 0;
  if (missing > 0 && scan_.damaged == 0 && !in_damage_) scan_.first_damage = offset;
  if (missing > 0 || in_damage_) note_damage_over(missing);
  next_sequence_ = header.sequence + 1;
  auto numbers = take_up(header, offset, payload.first(header.definitions_size), definitions_, scan_);
  if (!numbers || header.event_count == 0) return;
  uint64_t events_offset = offset + sizeof(RawBlockHeader) + header.definitions_size;
  scan_.blocks.push_back({.header = header, .events_offset = events_offset, .numbers = std::move(*numbers)});
}

}  // namespace

std::optional<BlockNumbers> take_up(const BlockHeader& header, uint64_t offset, Bytes packed_definitions,
                                    DefinitionsReader& definitions, BlockScan& scan) {
  scan.has_end = false;
  if (header.version != block_version || header.kind < static_cast<uint16_t>(BlockKind::events) ||
      header.kind > static_cast<uint16_t>(BlockKind::allocations)) {
    ++scan.unknown;
    return {};
  }
  auto raw = decompress(packed_definitions, header.definitions_raw_size);
  auto numbers = raw ? definitions.read(as_bytes(*raw)) : fail(ErrorKind::corrupt, "definitions do not decompress");
  if (!numbers) {
    if (scan.damaged == 0) scan.first_damage = offset;
    ++(numbers.error().kind == ErrorKind::limit ? scan.over_limit : scan.damaged);
    return {};
  }
  scan.has_end = header.kind == static_cast<uint16_t>(BlockKind::end) && definitions.final_info();
  return std::move(*numbers);
}

BlockScan scan_blocks(const RecordingBytes& bytes, uint64_t offset, DefinitionsReader& definitions,
                      Checksums checksums) {
  return Scanner(bytes, definitions, checksums).scan(offset);
}

}  // namespace culprit
