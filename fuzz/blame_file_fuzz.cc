// links: analysis
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "analysis/blame_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  auto parsed = culprit::parse_blame_rules(text);
  if (!parsed) {
    if (!parsed.error().where || *parsed.error().where == 0) std::abort();  // every error names its line
    return 0;
  }
  std::vector<culprit::BlameRule> rules;
  for (const culprit::BlameFileRule& rule : *parsed) {
    if (rule.name.empty() || (rule.module + rule.function + rule.file).empty()) std::abort();
    rules.push_back(rule.row());
  }
  culprit::ReportStack stack;
  stack.frames.resize(3);
  stack.frames[0].function = text.substr(0, 64);
  stack.frames[1].module = text.substr(0, 16);
  stack.frames[2].file = "/src/main.cc";
  culprit::assign_blame(rules, stack);
  if (stack.blamed && *stack.blamed >= stack.frames.size()) std::abort();
  return 0;
}
