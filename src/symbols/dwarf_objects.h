// How a programmer would write what an instruction worked on: variables by their locations, members by their offsets.
#pragma once

#include <llvm/DebugInfo/DWARF/DWARFDie.h>

#include <optional>
#include <span>

#include "symbols/object_question.h"

namespace culprit {

// `functions`: those that are inlined at the question's pc, innermost first, and the one they are in. `unit`: around
// them, for its global variables. Nothing: no variable is proved to be there. What is found is bounded, however the
// entries refer to each other, but damaged DWARF can still crash LLVM: see DwarfWorker.
std::optional<NamedObject> name_object(const llvm::DWARFDie& unit, std::span<const llvm::DWARFDie> functions,
                                       const ObjectQuestion& question);

}  // namespace culprit
