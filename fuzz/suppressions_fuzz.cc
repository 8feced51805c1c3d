// links: analysis
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "analysis/blame.h"
#include "analysis/suppressions.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  culprit::ReportStack stack;
  stack.frames.resize(3);
  stack.frames[0].function = text.substr(0, 64);
  stack.frames[1].module = text.substr(0, 16);
  stack.frames[2].file = "/src/main.cc";
  stack.frames[2].function = "main";
  culprit::assign_blame(culprit::blame_rules(), stack);
  auto parsed = culprit::parse_suppressions(text);
  if (!parsed) {
    if (!parsed.error().where || *parsed.error().where == 0) std::abort();  // every error names its line
    return 0;
  }
  for (const culprit::Suppression& entry : parsed->entries) {
    if (entry.name.empty() || entry.line == 0) std::abort();
  }
  parsed->find("socket", stack);
  return 0;
}
