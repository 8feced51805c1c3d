// links: symbols
#include <cstdint>
#include <string>

#include "symbols/demangle.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string name(reinterpret_cast<const char*>(data), size);
  for (const char* prefix : {"", "_Z", "_R"}) culprit::demangle(prefix + name);
  return 0;
}
