// The parts of heap_as_text(), each in a file of its own.
#pragma once

#include <string>
#include <string_view>

#include "view/heap_views.h"

namespace culprit {

std::string heap_summary_text(const HeapReport& report, const HeapTextOptions& options);
std::string heap_groups_text(const HeapReport& report, const HeapTextOptions& options);
std::string heap_list_text(const HeapReport& report, const HeapTextOptions& options);
std::string heap_block_text(const HeapReport& report, const HeapTextOptions& options);
std::string heap_leaks_text(const HeapReport& report, const HeapTextOptions& options);
std::string heap_breaks_text(const HeapReport& report, const HeapTextOptions& options);

std::string_view name_of(HeapBlockState state);  // "in use", "free", "free, kept by a thread"
std::string_view name_of(MemoryKind kind);       // "malloc's arenas"
// "0x7f…: 24 bytes, in use"
std::string block_words(const HeapBlock& block);
// "server.core", "pid 12"
std::string heap_target_words(const HeapReport& report);
// "main", or the arena's address.
std::string arena_words(const HeapReport& report, uint32_t arena);
// "12.3", of all; empty of nothing.
std::string percent_words(uint64_t part, uint64_t whole);
// "stood still for 12.3 ms", and how much was read.
std::string heap_basis_text(const HeapReport& report, const TextStyle& style);

}  // namespace culprit
