// Asks a process or a core about its heap, which needs no preparation of it.
#pragma once

#include "analysis/heap_report.h"
#include "base/result.h"
#include "symbols/symbolizer.h"
#include "target/target.h"

namespace culprit {

// A live process stands still while its heap is walked, or for HeapAsk::unreachable copied, unless the question says
// otherwise. gone, no_access; not_found: there is no heap that can be read (a summary then tells of the other memory),
// or no such arena; limit: too little memory is free to copy it.
Result<HeapReport> examine_heap(Target& target, const HeapQuestion& question, const SymbolOptions& options = {});

}  // namespace culprit
