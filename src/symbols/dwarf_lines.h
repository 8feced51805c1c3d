// What the DWARF of one file says about an address. The only room's corner that knows LLVM's DWARF reader.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "symbols/object_question.h"
#include "symbols/symbolizer.h"

namespace culprit {

struct DwarfAnswer {
  std::vector<SourceFrame> frames;         // as in SymbolizedFrame; empty: no compilation unit covers the address
  std::optional<uint64_t> function_start;  // of the last frame; nothing when its code is in several pieces
  bool has_linker_name = false;            // of the last frame; otherwise the ELF symbol may know its parameters
};

// Where the parts of split debug info (-gsplit-dwarf) may be, apart from where the compiler put them.
struct SplitDwarfPlaces {
  std::vector<std::string> packages;     // NAME.dwp, the first that exists is taken
  std::vector<std::string> directories;  // of .dwo files which are not at the place the debug info names
};

// Not thread-safe. Damaged DWARF can crash it and make it print: see DwarfWorker.
class DwarfLines {
 public:
  // `file` must outlive the object. ErrorKind::corrupt: not ELF, or its compressed sections claim absurd sizes.
  static Result<DwarfLines> open(Bytes file, const std::string& path, SplitDwarfPlaces places);
  DwarfLines(DwarfLines&&) noexcept;
  DwarfLines& operator=(DwarfLines&&) noexcept;
  ~DwarfLines();

  DwarfAnswer lookup(uint64_t address);
  // Nothing: no variable is proved to be there.
  std::optional<NamedObject> object(const ObjectQuestion& question);

  // The first .dwo file that was needed and is nowhere, or another build's; empty: none.
  const std::string& missing_split_file() const;

 private:
  struct State;
  explicit DwarfLines(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace culprit
