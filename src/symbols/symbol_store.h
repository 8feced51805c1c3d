// Finds the files that describe a module: its own, and the separate one with the debug info.
#pragma once

#include <memory>
#include <string>

#include "base/mapping.h"
#include "format/elf.h"
#include "model/module.h"
#include "symbols/debuginfod.h"
#include "symbols/symbolizer.h"

namespace culprit {

// A mapped ELF file. `elf` refers to the mapping, which stays where it is for the object's life.
struct SymbolFile {
  std::string path;
  Mapping mapping;
  std::string copy;  // instead of the mapping: the vdso, which is no file
  ElfFile elf;
};

struct FoundFiles {
  std::unique_ptr<SymbolFile> module;  // null: not there, or another build
  std::unique_ptr<SymbolFile> debug;   // null: none found, or none needed as `module` has debug info
  std::string module_problem;          // why `module` is null, as a clause
  std::string debug_problem;           // why `debug` is null although it was looked for; may be empty
};

bool has_debug_info(const ElfFile& file);

class SymbolStore {
 public:
  explicit SymbolStore(SymbolOptions options);

  FoundFiles find(const Module& module);
  bool asks_servers() const { return debuginfod_.enabled(); }

 private:
  std::unique_ptr<SymbolFile> find_debug_file(const Module& module, const SymbolFile* own, std::string& problem);

  SymbolOptions options_;
  Debuginfod debuginfod_;
};

}  // namespace culprit
