// What a target's memory is used for, the heap and all else.
#pragma once

#include <span>

#include "analysis/heap_layout.h"
#include "analysis/heap_report.h"

namespace culprit {

// `layout`: null: there is no heap that can be read. `threads`: with their stack pointers, where they are known. Of a
// live process, how much is in memory is asked now.
MemoryReport examine_memory(Target& target, const HeapLayout* layout, std::span<const TargetThread> threads);

}  // namespace culprit
