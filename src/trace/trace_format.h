// The constants and fixed-size parts of a recording. The whole format, as a grammar: docs/trace-format.md.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/wire_int.h"

namespace culprit::trace_format {

// A change that an old reader would misread counts the major version up; one that it can skip counts the minor.
inline constexpr uint16_t major_version = 1;
// 1: circular recordings; 2: allocations; 3: unreachable blocks; 4: whose they are; 5: mappings
inline constexpr uint16_t minor_version = 5;

inline constexpr std::string_view file_magic =
    "\x8f"
    "culprit";
inline constexpr std::string_view block_magic =
    "\x8f"
    "block\r\n";

struct RawFileHeader {
  std::array<char, 8> magic;
  Le<uint16_t> major, minor;
  Le<uint32_t> info_size;  // bytes of the info record that follows
  Le<uint64_t> checksum;   // of the 16 bytes above and the info record
};
static_assert(sizeof(RawFileHeader) == 24 && alignof(RawFileHeader) == 1);

inline constexpr uint16_t block_version = 1;

enum class BlockKind : uint16_t {
  events = 1,
  end = 2,         // the recorder finished: final info, processes that changed since they were defined
  checkpoint = 3,  // of a circular recording: a part of what was open at one moment
  allocations = 4,
};

struct RawBlockHeader {
  std::array<char, 8> magic;
  Le<uint16_t> kind, version;
  Le<uint32_t> definitions_size, definitions_raw_size;  // compressed, decompressed
  Le<uint32_t> events_size, events_raw_size;
  Le<uint32_t> event_count;
  Le<uint64_t> sequence;  // 0, 1, 2 … in a whole recording
  Le<int64_t> first_time, last_time;
  Le<uint64_t> payload_checksum;
  Le<uint64_t> header_checksum;  // of all above
};
static_assert(sizeof(RawBlockHeader) == 72 && alignof(RawBlockHeader) == 1);

// Kinds of sections in `definitions`. Unknown ones are skipped.
enum class Section : uint8_t {
  strings = 1,
  modules = 2,
  processes = 3,
  stacks = 4,
  losses = 5,
  info = 6,
  past = 7,
  losses_so_far = 8
};

// Kinds of items in the info record. Unknown ones are skipped.
enum class InfoItem : uint8_t {
  recorded_by = 1,
  command = 2,
  machine = 3,
  wall_clock_ns = 4,
  started = 5,
  ended = 6,
  circular = 7,
  allocations = 8
};

// Kinds of rare events. Unknown ones are skipped.
enum class RareKind : uint8_t { process = 1, thread = 2, snapshot = 3, mark = 4, unreachable = 5, mapping = 6 };

// The columns of handle events, in their order in `events`.
enum class Column : uint8_t { recipe, time_low, time_high, value, other, name, rare };
inline constexpr size_t column_count = 7;

// Recipe flags, beside the action in the low three bits.
inline constexpr uint8_t recipe_action_mask = 0x07, recipe_has_other = 0x08, recipe_has_name = 0x10;

// The columns of allocations, in their order in `events` of such a block.
enum class AllocationColumn : uint8_t { recipe, time_low, time_high, size, address };
inline constexpr size_t allocation_column_count = 5;

// Recipe flags of allocations: the function above the lowest bit.
inline constexpr uint8_t recipe_is_release = 0x01;

// Bounds a reader insists on, whatever a file claims.
inline constexpr uint32_t max_info_size = 1 << 20;
inline constexpr uint32_t max_raw_size = 64 << 20;  // of definitions and of events, each
inline constexpr uint32_t max_events_per_block = 1 << 20;
inline constexpr uint32_t max_losses_per_block = 1 << 16;
inline constexpr size_t max_stacks = size_t{4} << 20;  // of a whole recording; as are these:
inline constexpr size_t max_string_bytes = size_t{256} << 20;
inline constexpr size_t max_strings = size_t{4} << 20;
inline constexpr size_t max_modules = size_t{1} << 20;
inline constexpr size_t max_processes = size_t{1} << 20;
inline constexpr size_t max_numbers = size_t{64} << 20;  // local numbers of all blocks
inline constexpr size_t max_ring_blocks = size_t{4} << 20;

// When a writer closes a block.
inline constexpr size_t full_block_bytes = size_t{1} << 20;
inline constexpr size_t full_block_events = size_t{1} << 17;
// Of allocations there are many, and each block defines its stacks anew.
inline constexpr size_t full_block_allocations = size_t{1} << 18;
inline constexpr uint64_t smallest_recording = uint64_t{1} << 20;  // that a size limit may ask for
inline constexpr uint64_t checkpoints_per_lap = 8;
inline constexpr size_t max_block_string_bytes = size_t{32} << 20;  // only a huge snapshot comes near

}  // namespace culprit::trace_format
