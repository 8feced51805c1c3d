// links: shell
// Any text as an expression: parsed, and evaluated over memory that answers with what the text holds.
#include <cstdlib>
#include <string_view>

#include "shell/expression.h"

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
  std::string_view text(reinterpret_cast<const char*>(data), size), rest;
  CopiedMemory memory(0x1000, as_bytes(text));
  Registers registers;
  registers.rsp = 0x1000;
  for (unsigned radix : {8u, 10u, 16u}) {
    auto expression = parse_expression(text, names, radix);
    if (!expression) continue;
    auto value = evaluate(*expression, {.registers = &registers, .memory = &memory, .pid = 1, .tid = 2});
    // What was parsed fits together; only memory and division can fail.
    if (!value && value.error().what.find("fit together") != std::string::npos) abort();
    auto leading = parse_leading_expression(text, names, rest, radix);
    if (!leading || *leading != *expression || !rest.empty()) abort();
  }
  return 0;
}
