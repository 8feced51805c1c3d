#include "support/sample_events.h"

#include <cstdlib>
#include <filesystem>

namespace culprit {

SampleProgram::SampleProgram() {
  tables.modules.push_back({.path = "/usr/bin/server", .build_id = "0123456789abcdef"});
  tables.modules.push_back({.path = "/lib/libc.so.6", .build_id = ""});
  auto program = id_at<ModuleId>(1), libc = id_at<ModuleId>(2);
  tables.processes.push_back({.pid = 90,
                              .name = "sh",
                              .command = "sh -c server",
                              .sight = Sight::wrappers,
                              .sight_reason = "what libc opens internally is not seen"});
  tables.processes.push_back(
      {.parent = id_at<ProcessId>(1), .pid = 100, .name = "server", .command = "server --port 80"});
  shell = id_at<ProcessId>(1);
  server = id_at<ProcessId>(2);
  StackId main = tables.stacks.intern(StackId::none, {program, 0x1136, FoundBy::unwind_table});
  StackId loop = tables.stacks.intern(main, {program, 0x1200, FoundBy::frame_pointer});
  open_stack = tables.stacks.intern(loop, {libc, 0xfe120, FoundBy::registers});
  close_stack = tables.stacks.intern(loop, {libc, 0xfe340, FoundBy::registers});
  cut_stack = tables.stacks.intern(StackId::truncated, {ModuleId::none, 0xffffffffff600000, FoundBy::scan});
}

HandleEvent SampleProgram::opened(Time time, int64_t value, uint32_t tid) {
  return {.time = time,
          .value = value,
          .process = server,
          .tid = tid,
          .stack = open_stack,
          .call = tables.intern("openat"),
          .type = tables.intern(handle_type::file),
          .name = tables.intern("/etc/passwd"),
          .action = HandleAction::open};
}

HandleEvent SampleProgram::closed(Time time, int64_t value, uint32_t tid) {
  return {.time = time,
          .value = value,
          .process = server,
          .tid = tid,
          .stack = close_stack,
          .call = tables.intern("close"),
          .action = HandleAction::close};
}

void SampleProgram::send_everything(EventSink& sink) {
  sink.on_process({.time = 1000, .process = shell, .change = ProcessChange::launched, .handle_limit = 1024});
  HandleSnapshot start{.begin = 1010,
                       .end = 1020,
                       .process = shell,
                       .reason = SnapshotReason::start,
                       .held = true,
                       .handle_limit = 1024};
  start.entries = {{0, tables.intern("terminal"), tables.intern("/dev/pts/0"), 3},
                   {7, tables.intern("pipe"), StringId::none, UINT64_MAX}};
  sink.on_snapshot(start);
  sink.on_process({.time = 1100,
                   .process = server,
                   .parent = shell,
                   .change = ProcessChange::forked,
                   .tid = 90,
                   .stack = cut_stack});
  sink.on_process(
      {.time = 1150, .process = server, .change = ProcessChange::executed, .tid = 100, .handle_limit = UINT64_MAX});
  sink.on_thread({.time = 1200, .process = server, .tid = 101, .name = tables.intern("worker")});
  sink.on_handle(opened(1300, 3));
  HandleEvent duplicate = opened(1310, 4);
  duplicate.action = HandleAction::duplicate;
  duplicate.other = 3;
  sink.on_handle(duplicate);
  HandleEvent received = opened(1320, INT64_MAX, 101);
  received.action = HandleAction::receive;
  received.stack = StackId::truncated;
  received.name = StringId::none;
  sink.on_handle(received);
  sink.on_mark({.time = 1400, .name = "warm"});
  sink.on_handle(closed(1500, 3));
  HandleEvent range = closed(1510, 3);
  range.action = HandleAction::close_range;
  range.other = UINT32_MAX;
  range.stack = StackId::none;
  sink.on_handle(range);
  sink.on_loss({.kind = LossKind::ring_full, .count = 3, .process = server});
  sink.on_loss({.kind = LossKind::process_not_followed, .count = 1, .detail = "/bin/static"});
  sink.on_process({.time = 1800, .process = server, .change = ProcessChange::killed, .status = 9});
  sink.on_process({.time = 1900, .process = shell, .change = ProcessChange::exited, .status = -1});
}

TraceInfo SampleProgram::info() const {
  return {.recorded_by = "culprit 0.1.0, agent",
          .command = "server --port 80",
          .machine = "host, Linux 6.1",
          .wall_clock_ns = 1700000000000000000,
          .started = 900,
          .ended = 2000};
}

TemporaryDirectory::TemporaryDirectory() {
  const char* base = std::getenv("TMPDIR");
  path = std::string(base != nullptr ? base : "/tmp") + "/culprit-test-XXXXXX";
  if (::mkdtemp(path.data()) == nullptr) std::abort();
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path, ignored);
}

}  // namespace culprit
