// links: shell
// The text of --stop-when: parsed or refused, and what was parsed can be asked.
#include <cstdint>
#include <string_view>

#include "shell/stop_condition.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto condition = culprit::StopCondition::parse({reinterpret_cast<const char*>(data), size});
  if (!condition) return 0;
  culprit::StopFacts facts{.events = size, .size = 17, .handles = [](std::string_view whose) { return whose.size(); }};
  condition->holds(facts);
  return 0;
}
