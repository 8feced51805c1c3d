// From (module, address) to function, file and line: late, when somebody looks, perhaps on another machine.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "model/module.h"
#include "symbols/object_question.h"

namespace culprit {

// What the answer rests on, in ascending worth.
enum class SymbolQuality : uint8_t {
  none,             // nothing names this address: show module + offset
  exported_symbol,  // .dynsym of a stripped module: only what it shows to others, static functions are missing
  symbol_table,     // .symtab: every function, but no lines
  debug_info,       // DWARF
};

// All strings are foreign: views pass them through printable() and bound their length.
struct SourceFrame {
  std::string function;  // demangled; empty: the debug info names a line but no function
  std::string file;      // as the debug info has it, absolute where its compilation directory allows; empty: unknown
  uint32_t line = 0;     // 0: unknown
  bool inlined = false;  // expanded into the next entry

  bool operator==(const SourceFrame&) const = default;
};

struct SymbolizedFrame {
  // Innermost inlined function first, the function that really has a frame last. Empty exactly when quality is none.
  std::vector<SourceFrame> frames;
  SymbolQuality quality = SymbolQuality::none;
  uint64_t offset_in_symbol = 0;  // from the start of the last function to the address asked for

  bool operator==(const SymbolizedFrame&) const = default;
};

struct SymbolOptions {
  // Where separate debug files lie: DIR/.build-id/xx/yyyy.debug and DIR/path/of/module/NAME.debug.
  std::vector<std::string> debug_directories = {"/usr/lib/debug"};
  // Put before every recorded path and every debug directory, to look into another root ("/proc/PID/root"); no slash at
  // the end.
  std::string sysroot;
  // Whether a debuginfod server may be asked. The servers are those of $DEBUGINFOD_URLS; without it nothing is asked.
  bool debuginfod = true;
};

struct SymbolRequest {
  const Module* module = nullptr;  // must live until the call is over
  uint64_t offset = 0;             // link-time virtual address, as in Frame::offset
  bool is_return_address = true;   // then the byte before it is looked up: the call, not what follows it
};

// What a module's symbols come from, for "why is there no line?".
struct ModuleSymbols {
  std::string file;        // the module's own file, when it was used
  std::string debug_file;  // the file with the debug info (may be the same); empty: there is none
  SymbolQuality best = SymbolQuality::none;
  std::string note;  // one sentence on why it is not better and what to do about it; empty when there is nothing to say
};

// Keeps the modules it has opened. Not thread-safe. Never throws and never prints; a file that is damaged, foreign or
// another build than the recorded one gives less information, and used_for() says so.
class Symbolizer {
 public:
  using Progress = std::function<void(size_t done, size_t total)>;

  explicit Symbolizer(SymbolOptions options = {});
  Symbolizer(Symbolizer&&) noexcept;
  Symbolizer& operator=(Symbolizer&&) noexcept;
  ~Symbolizer();

  SymbolizedFrame symbolize(const Module& module, uint64_t offset, bool is_return_address = true);

  // Many at once, in the order of the requests: faster than one by one, as each compilation unit is read only once.
  // `progress`, if any, is called now and then and at the end.
  std::vector<SymbolizedFrame> symbolize(std::span<const SymbolRequest> requests, const Progress& progress = {});

  // How a programmer would write what an instruction of the module worked on. Nothing: no variable is proved to be
  // there.
  std::optional<NamedObject> object(const Module& module, const ObjectQuestion& question);

  // Opens the module if nothing has asked for it yet.
  ModuleSymbols used_for(const Module& module);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace culprit
