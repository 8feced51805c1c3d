#include "shell/shell_command.h"

#include <fmt/format.h>

#include <csignal>

#include "base/syscall.h"
#include "base/text.h"
#include "shell/console.h"
#include "shell/interrupts.h"
#include "shell/live_target.h"
#include "shell/recording_target.h"
#include "trace/trace_format.h"

namespace culprit {
namespace {

bool is_recording(const std::string& path) {
  auto beginning = read_whole_file(path, trace_format::file_magic.size());
  return path.ends_with(".culprit") || (beginning && beginning->starts_with(trace_format::file_magic));
}

// The target, or the recording, that the user named.
Result<void> open_into(ConsoleSession& session, const std::string& name) {
  auto pid = process_target(name);
  if (!pid) return tl::unexpected<Error>(std::move(pid).error());
  if (!*pid && is_recording(name)) {
    auto trace = open_recording_target(name);
    if (!trace) return tl::unexpected<Error>(std::move(trace).error());
    session.set_handles(std::make_unique<RecordedHandles>(std::move(*trace), name));
    return {};
  }
  auto target = *pid ? open_live_process(**pid) : open_core(name);
  if (!target) return tl::unexpected<Error>(std::move(target).error());
  session.set_target(std::move(*target));
  return {};
}

}  // namespace

Ending converse(ConsoleSession& session, const Arguments& arguments, const Streams& streams) {
  InterruptCatcher catcher;
  std::signal(SIGPIPE, SIG_IGN);
  Console console(session, streams);
  bool is_script = arguments.has("--command");
  if (is_script) {
    console.execute_script(arguments.text("--command"));
  } else {
    is_script = console.converse([&] {
      if (session.handles() != nullptr) console.print(session.handles()->note_end());
      return session.prompt();
    });
  }
  if (session.handles() != nullptr) {
    if (auto finished = session.handles()->finish(); !finished) return complain(streams, finished.error());
  }
  return is_script && console.has_complained() ? ended_in_failure : ended_well;
}

Ending run_shell(const Arguments& arguments, const Streams& streams) {
  ConsoleSession session(arguments.operands.front());
  if (auto opened = open_into(session, session.name()); !opened) return complain(streams, opened.error());
  return converse(session, arguments, streams);
}

}  // namespace culprit
