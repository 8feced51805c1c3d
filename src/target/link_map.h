// The list of loaded files that the dynamic loader keeps for debuggers (<link.h>: struct r_debug, struct link_map).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/memory_reader.h"

namespace culprit {

struct LoadedObject {
  std::string path;      // foreign; empty: the program itself
  uint64_t bias = 0;     // absolute minus link-time address
  uint64_t dynamic = 0;  // address of its dynamic section, by which it is known
};

// In the order of loading. `dynamic`: where the program's own dynamic section lies. Empty: the loader had not yet
// filled the list, or the memory is not there.
std::vector<LoadedObject> loaded_objects(MemoryReader& memory, uint64_t dynamic);

// The text at an address up to its NUL; empty: it is not there, or longer than any path.
std::string text_at(MemoryReader& memory, uint64_t address);

}  // namespace culprit
