// What only a process itself tells that dies while the kernel hands over its core: taken before the core is read, since
// it may go as soon as that is done.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/fd.h"
#include "symbols/symbolizer.h"
#include "target/held_files.h"
#include "target/module_search.h"
#include "target/process_use.h"

namespace culprit {

struct LastLook {
  std::string name;  // empty: it is gone, or there was none
  std::optional<ProcessUse> use;
  Fd root;                      // of its file system, where that is not ours
  std::vector<HeldFile> files;  // that no path leads to any more

  // Where its files are looked for, and their debug files: a container's own come before ours; none is taken that
  // belongs to another build. Valid as long as this look.
  SearchPlaces places() const;
  SymbolOptions symbol_options() const;

 private:
  std::string root_path() const;  // empty: it is ours
};

LastLook look_at_last(uint32_t pid);  // 0: there is no process

}  // namespace culprit
