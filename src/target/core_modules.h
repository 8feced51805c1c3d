// The modules of a core, and the memory that their files complete it with.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "target/mapped_files.h"
#include "target/module_search.h"
#include "target/target.h"

namespace culprit {

struct CoreModules {
  std::vector<TargetModule> modules;    // ascending by start
  std::vector<FoundModule> files;       // what the pieces refer to
  std::vector<CorePiece> pieces;        // of files, where memory cannot have differed from them
  std::vector<TargetMapping> mappings;  // of files, ascending
  std::vector<Loss> losses;
  std::string program;  // path of the program's file; empty: unknown
};

// `memory` has what the core file holds.
CoreModules find_core_modules(const CoreNotes& notes, const CoreSegments& segments, CoreMemory& memory,
                              const SearchPlaces& places);

}  // namespace culprit
