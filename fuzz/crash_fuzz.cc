// links: analysis
// The page about a core that anybody may have written, without the files of this machine.
#include "analysis/crash_report.h"
#include "target/elf_core.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace culprit;
  Bytes bytes = std::as_bytes(std::span(data, size));
  auto core = open_core_bytes(bytes, {.name = "core", .places = {.opens_files = false}});
  if (!core) return 0;
  TargetNames names(**core, {.debug_directories = {}, .debuginfod = false});
  auto report = report_crash(**core, {.names = names});
  if (report && report->culprit && *report->culprit >= report->stack.frames.size()) __builtin_trap();
  if (report && report->recursion && report->recursion->first + report->recursion->frames > report->stack.frames.size())
    __builtin_trap();
  return 0;
}
