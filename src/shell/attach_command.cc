#include "shell/attach_command.h"

#include <fmt/core.h>

#include "shell/live_target.h"
#include "shell/shell_command.h"

namespace culprit {
namespace {

constexpr std::string_view first_mark = "attach";

}  // namespace

Ending run_attach(const Arguments& arguments, const Streams& streams) {
  auto pid = process_target(arguments.operands.front());
  if (!pid) return complain(streams, pid.error());
  if (!*pid) return complain(streams, fmt::format("there is no process {}", arguments.operands.front()));
  auto request = live_request(**pid, arguments);
  if (!request) return complain(streams, request.error());
  std::string what = request->what, kept = request->output;
  auto recording = LiveSession::start(std::move(*request));
  if (!recording) return complain(streams, recording.error());
  (*recording)->mark(std::string(first_mark));
  answer({streams.errors, streams.errors}, about_session(**recording, **pid));

  ConsoleSession session(std::to_string(**pid));
  session.set_handles(std::make_unique<RecordedHandles>(std::move(*recording), what, kept));
  // What is recorded can be asked although threads and memory may not be looked at (another tracer, a process that has
  // ended already).
  if (auto target = open_live_process(**pid)) {
    session.set_target(std::move(*target));
  } else {
    (void)complain(streams, target.error());
  }
  return converse(session, arguments, streams);
}

}  // namespace culprit
