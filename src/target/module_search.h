// Finds the file that was mapped into a process that is no more, perhaps on another machine.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/mapping.h"
#include "format/elf.h"

namespace culprit {

struct WantedModule {
  std::string path;      // as the process saw it
  std::string build_id;  // of what was mapped; empty: not known, or has none
  Bytes header;          // its first bytes, as far as they are known
  bool is_program = false;
};

struct PlacedFile {
  std::string path;   // as the process knew it
  std::string place;  // where it is to be had
};

struct SearchPlaces {
  std::string executable;        // where the user says that the program is; may be empty
  std::string core_folder;       // where files may lie beside the core; empty: nowhere
  std::string root;              // of the process's file system, where that is another one than ours; may be empty
  std::vector<PlacedFile> held;  // files that no path leads to any more
  bool opens_files = true;       // false: nothing is looked for
};

// `elf` refers to the mapping.
struct FoundModule {
  Mapping mapping;
  ElfFile elf;
  std::string path;        // where it was found
  bool is_proven = false;  // by build id, or, if there is none, by equal headers
};

// A file with another build id, or without one and with other headers, is never taken. Nothing is known of what was
// mapped: the first file at hand, not proven. `missing` is set when there is none: "build id 12ab: /usr/bin/x is
// another build (34cd); not at /cores/x, /usr/lib/debug/.build-id/12/ab".
std::optional<FoundModule> find_module(const WantedModule& wanted, const SearchPlaces& places, std::string& missing);

}  // namespace culprit
