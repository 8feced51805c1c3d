// links: shell
// Any text as what is typed behind bp, and its commands as a decision.
#include <cstdlib>
#include <string_view>

#include "shell/breakpoint_line.h"

namespace {

using namespace culprit;

class Names final : public ExpressionNames {
 public:
  bool is_module(std::string_view name) override { return name.size() % 3 == 1; }
  Result<uint64_t> address_of(std::string_view name) override {
    if (name.size() % 2 == 0) return fail(ErrorKind::not_found, "there is no such symbol");
    return name.size() * 0x1000;
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Names names;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)decision_of(text, names, 16);
  auto line = parse_breakpoint_line(text, 16);
  if (!line) return 0;
  if (line->passes == 0 || line->where.size() + line->commands.size() > size) abort();
  auto decision = decision_of(line->commands, names, 16);
  // A decision always has something to decide.
  if (decision && *decision && (*decision)->condition.empty()) abort();
  return 0;
}
