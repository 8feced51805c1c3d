// How blocks and mappings are called and counted in text.
#pragma once

#include <fmt/format.h>

#include <string>

#include "analysis/memory_ledger.h"
#include "base/text.h"
#include "view/answer_text.h"

namespace culprit {

inline std::string_view noun_of(RecordedMemory kind) { return kind == RecordedMemory::blocks ? "block" : "mapping"; }

// "2.3 MB in 12 blocks"
inline std::string amount(const BlockCount& count, RecordedMemory kind) {
  return fmt::format("{} in {}", bytes_in_words(count.bytes), counted(count.blocks, noun_of(kind)));
}

// "blocks of 1,024 bytes": a group of one size.
inline std::string size_group_words(RecordedMemory kind, uint64_t size) {
  return fmt::format("{}s of {} bytes", noun_of(kind), with_thousands(size));
}

// "12 allocations": what was made, whatever became of it.
inline std::string made_words(uint64_t count, RecordedMemory kind) {
  return counted(count, kind == RecordedMemory::blocks ? "allocation" : "mapping");
}

}  // namespace culprit
