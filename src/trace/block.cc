#include "trace/block.h"

#include <xxhash.h>
#include <zstd.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>

namespace culprit {

namespace {

using namespace trace_format;

// Level 3 is 2 to 5 % smaller than 1 on handle events and still packs a block in a few milliseconds.
constexpr int compression_level = 3;

struct FreeContext {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

void append_compressed(std::string& block, std::string_view raw) {
  if (raw.empty()) return;
  thread_local std::unique_ptr<ZSTD_CCtx, FreeContext> context(ZSTD_createCCtx());
  size_t old_size = block.size();
  block.resize(old_size + ZSTD_compressBound(raw.size()));
  size_t packed = ZSTD_compressCCtx(context.get(), block.data() + old_size, block.size() - old_size, raw.data(),
                                    raw.size(), compression_level);
  // With room for the worst case there is nothing that could fail but memory.
  if (ZSTD_isError(packed) != 0) throw std::bad_alloc();
  block.resize(old_size + packed);
}

uint64_t header_checksum_of(const char* header) {
  return checksum_of({header, offsetof(RawBlockHeader, header_checksum)});
}

void put_header(std::string& block, RawBlockHeader raw) {
  std::memcpy(block.data(), &raw, sizeof raw);
  raw.header_checksum = header_checksum_of(block.data());
  std::memcpy(block.data(), &raw, sizeof raw);
}

}  // namespace

uint64_t checksum_of(std::string_view bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

std::string seal_block(const BlockHeader& facts, std::string_view definitions, std::string_view events) {
  std::string block(sizeof(RawBlockHeader), '\0');
  append_compressed(block, definitions);
  size_t definitions_end = block.size();
  append_compressed(block, events);

  RawBlockHeader raw{};
  std::copy(block_magic.begin(), block_magic.end(), raw.magic.begin());
  raw.kind = facts.kind;
  raw.version = block_version;
  raw.definitions_size = static_cast<uint32_t>(definitions_end - sizeof raw);
  raw.definitions_raw_size = static_cast<uint32_t>(definitions.size());
  raw.events_size = static_cast<uint32_t>(block.size() - definitions_end);
  raw.events_raw_size = static_cast<uint32_t>(events.size());
  raw.event_count = facts.event_count;
  raw.sequence = facts.sequence;
  raw.first_time = facts.first_time;
  raw.last_time = facts.last_time;
  raw.payload_checksum = checksum_of(std::string_view(block).substr(sizeof raw));
  put_header(block, raw);
  return block;
}

void set_sequence(std::string& sealed_block, uint64_t sequence) {
  RawBlockHeader raw;
  std::memcpy(&raw, sealed_block.data(), sizeof raw);
  raw.sequence = sequence;
  put_header(sealed_block, raw);
}

std::optional<BlockHeader> parse_block_header(Bytes bytes, bool verify_checksum) {
  ByteReader reader(bytes);
  auto raw = reader.take<RawBlockHeader>();
  if (!reader || std::string_view(raw.magic.data(), raw.magic.size()) != block_magic) return std::nullopt;
  const char* start = reinterpret_cast<const char*>(bytes.data());
  if (verify_checksum && raw.header_checksum != header_checksum_of(start)) return std::nullopt;

  BlockHeader header{.kind = raw.kind,
                     .version = raw.version,
                     .sequence = raw.sequence,
                     .first_time = raw.first_time,
                     .last_time = raw.last_time,
                     .event_count = raw.event_count,
                     .definitions_size = raw.definitions_size,
                     .definitions_raw_size = raw.definitions_raw_size,
                     .events_size = raw.events_size,
                     .events_raw_size = raw.events_raw_size,
                     .payload_checksum = raw.payload_checksum};
  // zstd's worst case is a little more than the data: what packs worse was not packed by us.
  auto packed_well = [](uint64_t packed, uint64_t size) {
    return size <= max_raw_size && packed <= size + size / 128 + 1024;
  };
  bool bounded = packed_well(header.definitions_size, header.definitions_raw_size) &&
                 packed_well(header.events_size, header.events_raw_size) &&
                 header.event_count <= max_events_per_block && header.first_time <= header.last_time;
  return bounded ? std::optional(header) : std::nullopt;
}

std::optional<std::string> decompress(Bytes compressed, uint32_t raw_size) {
  std::string raw;
  if (raw_size == 0) return compressed.empty() ? std::optional(raw) : std::nullopt;
  thread_local std::unique_ptr<ZSTD_DCtx, FreeContext> context(ZSTD_createDCtx());
  ZSTD_DCtx_reset(context.get(), ZSTD_reset_session_only);
  ZSTD_inBuffer input{compressed.data(), compressed.size(), 0};
  for (size_t filled = 0, consumed = 0;;) {
    raw.resize(std::min<size_t>(raw_size, std::max<size_t>(2 * filled, size_t{2} << 20)));
    ZSTD_outBuffer output{raw.data(), raw.size(), filled};
    size_t hint = ZSTD_decompressStream(context.get(), &output, &input);
    if (ZSTD_isError(hint) != 0) return std::nullopt;
    if (hint == 0)
      return output.pos == raw_size && input.pos == input.size ? std::optional(std::move(raw)) : std::nullopt;
    // Not at the frame's end: it needs more input than there is, or more room than was announced.
    if (output.pos == filled && input.pos == consumed) return std::nullopt;
    filled = output.pos;
    consumed = input.pos;
  }
}

}  // namespace culprit
