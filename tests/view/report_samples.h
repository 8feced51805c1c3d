// Reports made by hand, as an analysis would make them.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "analysis/handle_report.h"

namespace culprit::samples {

inline ReportFrame frame(std::string function, std::string file, uint32_t line, std::string module = "/opt/app/leaky") {
  ReportFrame frame;
  frame.function = std::move(function);
  frame.file = std::move(file);
  frame.line = line;
  frame.module = std::move(module);
  frame.offset = 0x1234;
  frame.quality = SymbolQuality::debug_info;
  frame.own = true;
  return frame;
}

inline ReportFrame library_frame(std::string function, std::string rule) {
  ReportFrame frame = samples::frame(std::move(function), "", 0, "/lib/x86_64-linux-gnu/libc.so.6");
  frame.quality = SymbolQuality::symbol_table;
  frame.own = false;
  frame.function_offset = 0x10;
  frame.skipped_by = std::move(rule);
  return frame;
}

inline ReportFrame stripped_frame(std::string module, uint64_t offset) {
  ReportFrame frame = samples::frame("", "", 0, std::move(module));
  frame.offset = offset;
  frame.quality = SymbolQuality::none;
  return frame;
}

inline HandleGroup leak(std::string type, uint64_t count, ReportStack stack) {
  HandleGroup group;
  group.type = std::move(type);
  group.call = "eventfd2";
  group.count = group.created = count;
  group.created_by[static_cast<size_t>(HowCreated::open)] = count;
  group.closed_by[static_cast<size_t>(HowClosed::still_open)] = count;
  group.verdict = Verdict::grows;
  group.leak = true;
  group.evidence = "0 of " + std::to_string(count) + " closed, made at 98/s from start to end";
  group.rate = 98;
  group.creating = group.owning = {{"leaky", 4711, count}};
  group.processes = 1;
  group.stack = std::move(stack);
  return group;
}

inline ProcessReport process(std::string name, uint32_t pid, uint64_t created, uint64_t open) {
  ProcessReport process;
  process.name = std::move(name);
  process.pid = pid;
  process.created = created;
  process.closed = created - open;
  process.open_at_end = process.most_open = open;
  process.limit = 1024;
  process.end = ProcessEnd::exited;
  return process;
}

// main calls fun2 calls fun4 calls eventfd in libc: what ./dev demo shows.
inline ReportStack fun4_stack(const std::string& file) {
  return {
      {library_frame("eventfd", "libc"), frame("fun4()", file, 4), frame("fun2()", file, 9), frame("main", file, 14),
       library_frame("__libc_start_call_main", "program start"), library_frame("_start", "program start")},
      false,
      1};
}

inline HandleReport with_groups(std::vector<HandleGroup> groups) {
  HandleReport report;
  report.command = "./leaky 1000";
  report.recorded_by = "culprit 0.1.0, agent";
  report.machine = "host, Linux 6.1.0";
  report.pid = 4711;
  report.end = ProcessEnd::exited;
  report.duration = 10;
  for (const HandleGroup& group : groups) {
    report.created += group.created;
    report.closed += group.closed;
    report.outstanding += group.count;
    if (group.leak) ++report.leaking_groups, report.leaked += group.count;
  }
  report.groups = std::move(groups);
  report.processes = {process("leaky", 4711, report.created, report.outstanding)};
  return report;
}

inline HandleReport demo(const std::string& file) {
  HandleReport report = with_groups({leak("eventfd", 1000, fun4_stack(file))});
  report.created = 2000;
  report.closed = 1000;
  report.inherited = 3;
  report.processes[0].time_left =
      TimeLeft{1024, 1003, 98, 0.2, "at this rate the limit of 1,024 open handles is reached in about 0.2 s"};
  return report;
}

}  // namespace culprit::samples
