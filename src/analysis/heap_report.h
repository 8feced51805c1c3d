// The answer to "who is eating the memory?" of a process or core that was not prepared for it. Plain data; all strings
// from outside are raw: who prints them makes them printable.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "analysis/handle_report.h"
#include "analysis/heap_place.h"
#include "analysis/heap_question.h"
#include "model/ids.h"

namespace culprit {

struct HeapCount {
  uint64_t blocks = 0, bytes = 0;

  void add(uint64_t size) {
    ++blocks;
    bytes += size;
  }
  void add(const HeapCount& other) {
    blocks += other.blocks;
    bytes += other.bytes;
  }
  bool operator==(const HeapCount&) const = default;
};

// Bytes are those of whole chunks, so that they add up to what is committed.
struct HeapArenaReport {
  uint64_t address = 0;  // of its malloc_state
  bool is_main = false, is_busy = false;
  uint32_t pieces = 0;     // of memory: one of the main arena, 64 MB each of others
  uint64_t reserved = 0;   // address space
  uint64_t committed = 0;  // got from the kernel
  uint64_t threads = 0;    // that allocate in it, as it counts them
  HeapCount in_use, cached, fast, free;
  uint64_t largest_free = 0;  // of `free`
  uint64_t top = 0;           // never given out, or given back to the end
};

enum class MemoryKind : uint8_t {
  arenas,      // malloc's, with what is free in them
  own_blocks,  // blocks of malloc with mappings of their own
  anonymous,   // private and of no file: another allocator's, a program's own
  stacks,
  code,    // of programs and libraries, with their variables
  files,   // other mapped files
  shared,  // memory shared with others, of no file on a disk
  other,   // the kernel's own
};
inline constexpr size_t memory_kind_count = 8;

struct MemoryUse {
  MemoryKind kind = MemoryKind::other;
  uint64_t mappings = 0, bytes = 0;
  std::optional<uint64_t> resident;  // bytes in memory; nothing: not known
};

struct AnonymousMapping {
  uint64_t start = 0, bytes = 0;
  std::optional<uint64_t> resident;
};

struct MemoryReport {
  std::vector<MemoryUse> uses;              // one of each kind that there is, most first
  std::vector<AnonymousMapping> anonymous;  // the largest that are no heap and no stack
};

struct HeapGroup {
  std::optional<uint64_t> size;  // what each block can hold; nothing: grouped by type
  std::string type;              // of C++ objects: "Order", "Order[]"
  HeapCount count;               // bytes are what the blocks can hold
  uint64_t example = 0;          // address of one of them
};

// What still has a pointer to a leaked block without keeping it alive.
struct StalePointer {
  uint64_t at = 0;     // where it lies
  uint64_t freed = 0;  // the free block that has it; 0: none
  uint64_t freed_size = 0;
  uint32_t tid = 0;  // without a block: the thread in the dead part of whose stack it lies; 0: of one that has ended
};

struct LeakGroup {
  HeapGroup group;
  bool is_direct = true;              // nothing points to them; else only other leaked blocks do
  HeapCount behind;                   // of a direct one: what is only to be reached through them
  std::optional<StalePointer> stale;  // to the example
};

struct UnreachableReport {
  std::vector<LeakGroup> groups;  // most bytes first, with what is behind
  uint64_t groups_left_out = 0;
  HeapCount direct, indirect, reachable;
  uint64_t roots_bytes = 0;  // in which pointers were looked for, besides blocks
  double seconds = 0;        // the looking, after the stop
  // All was seen at one moment. Else a pointer may have moved, meanwhile, from where was not yet looked to where was.
  bool is_of_one_moment = true;
};

struct PointerToBlock {
  uint64_t at = 0;     // where the pointer lies; 0: in a register
  int64_t offset = 0;  // into the block
  std::string where;   // "a block of 48 bytes at 0x…", "g_orders", "rbx of thread 12"
};

struct HeapBlockReport {
  std::optional<HeapPlace> place;  // nothing: it is not in the heap
  std::string where;               // then: what is there instead
  std::string type;
  std::vector<std::byte> first;  // bytes of the block
  std::vector<PointerToBlock> pointers;
  uint64_t pointers_left_out = 0;
};

struct HeapReport {
  HeapQuestion question;
  // the target
  std::string target;
  bool is_live = false;
  uint32_t pid = 0;
  std::string allocator;       // who serves malloc: "glibc", "jemalloc"; empty: it is not known
  std::string allocator_note;  // of another than glibc: what that means, one sentence
  // what there is
  std::vector<HeapArenaReport> arenas;  // the main one first
  HeapCount own_blocks;                 // with mappings of their own
  HeapCount in_use;                     // of all, with own_blocks; bytes are what the blocks can hold
  uint64_t foreign_bytes = 0, skipped_bytes = 0;
  std::vector<HeapBreak> breaks;
  uint64_t breaks_left_out = 0;
  std::optional<MemoryReport> memory;  // of a summary
  // what was asked for
  std::vector<HeapGroup> groups;  // the first first
  uint64_t groups_left_out = 0;
  HeapCount matched;  // blocks that the question was about
  HeapCount untyped;  // by_type: those that are no C++ object with a virtual function
  std::vector<HeapBlock> blocks;
  std::optional<HeapBlockReport> block;
  std::optional<UnreachableReport> unreachable;
  // how it was looked at
  Time stopped_for = 0;
  uint64_t walked_bytes = 0;
  std::vector<std::string> notes;  // what could not be looked at, sentences
  std::vector<MergedLoss> losses;
  bool exact = true;
};

}  // namespace culprit
