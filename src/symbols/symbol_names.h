// The names in a module's symbol tables, functions and variables alike: what lies at an address, and where a name is.
// Without debug info, and without starting anything: quick enough to ask for one name.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/module.h"
#include "symbols/symbolizer.h"

namespace culprit {

enum class SymbolKind : uint8_t { function, data, thread_data, label };

// Strings are foreign.
struct NamedSymbol {
  std::string name;      // demangled
  uint64_t address = 0;  // link-time; of thread_data: the offset in the module's thread-local block
  uint64_t size = 0;     // 0: not known
  SymbolKind kind = SymbolKind::function;
  bool is_local = false;  // static, or in an anonymous namespace: other modules do not see it

  bool operator==(const NamedSymbol&) const = default;
};

struct NearSymbols {
  std::optional<NamedSymbol> before;  // the nearest that begins at or below the address; several may: the best known
  std::optional<NamedSymbol> after;   // the nearest that begins above it
  bool is_within = false;             // the address lies in the bytes of `before`
};

struct FoundNames {
  std::vector<NamedSymbol> symbols;  // ascending by address, of several names for one address all
  bool has_more = false;             // than were asked for
};

// Keeps the modules it has opened. Not thread-safe. A module whose file is not to be had, or is another build, has no
// names.
class SymbolNames {
 public:
  explicit SymbolNames(SymbolOptions options = {});
  SymbolNames(SymbolNames&&) noexcept;
  SymbolNames& operator=(SymbolNames&&) noexcept;
  ~SymbolNames();

  // The function or variable whose bytes hold this link-time address; nothing: what lies there has no name.
  std::optional<NamedSymbol> covering(const Module& module, uint64_t address);
  NearSymbols near(const Module& module, uint64_t address);
  // By a glob, of the whole name, the name without its parameters, or without template arguments as well; or by the
  // linker's name. Without * and ? in it, as one types it: "ns::C::f" finds "void ns::C<int>::f<char>(int)".
  FoundNames find(const Module& module, std::string_view pattern, size_t limit);
  // Names that begin so, for completion; as find() understands them.
  std::vector<std::string> beginning_with(const Module& module, std::string_view beginning, size_t limit);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace culprit
