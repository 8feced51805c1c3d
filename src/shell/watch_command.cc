#include "shell/watch_command.h"

#include <fmt/core.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <optional>

#include "base/text.h"
#include "capture/tsc_clock.h"
#include "shell/exporter.h"
#include "shell/handle_watch.h"
#include "shell/live_target.h"

namespace culprit {
namespace {

constexpr Time usual_interval = 1'000'000'000;
constexpr Time round_interval = 20'000'000;
constexpr std::string_view clear_screen = "\x1b[H\x1b[J";

std::atomic<bool> is_enough = false;
void note_end(int) { is_enough = true; }

void end_by_signals() {
  struct sigaction end {};
  end.sa_handler = note_end;
  sigaction(SIGINT, &end, nullptr);
  sigaction(SIGTERM, &end, nullptr);
  struct sigaction ignored {};
  ignored.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &ignored, nullptr);
}

void wait_until(Time time, HandleWatch& watch) {
  while (!is_enough && monotonic_now() < time) {
    usleep(static_cast<useconds_t>(std::clamp<Time>(time - monotonic_now(), 0, round_interval) / 1000));
    watch.round();
  }
}

// What has to be watched: 0 is the machine.
Result<uint32_t> watched_process(const Arguments& arguments) {
  if (arguments.has("--all") != arguments.operands.empty())
    return fail(ErrorKind::usage, "watch takes a process, or --all");
  if (arguments.has("--all")) return 0u;
  auto pid = process_target(arguments.operands.front());
  if (!pid) return tl::unexpected<Error>(std::move(pid).error());
  if (!*pid) return fail(ErrorKind::gone, fmt::format("there is no process {}", printable(arguments.operands.front())));
  return **pid;
}

}  // namespace

Ending run_watch(const Arguments& arguments, const Streams& streams) {
  auto pid = watched_process(arguments);
  if (!pid) return complain(streams, pid.error());
  std::unique_ptr<Exporter> exporter;
  if (arguments.has("--prometheus")) {
    auto started = Exporter::start(arguments.text("--prometheus"));
    if (!started) return complain(streams, started.error());
    exporter = std::move(*started);
  }
  end_by_signals();
  TextStyle style = style_of(streams.output);
  bool is_json = arguments.has("--json");
  Time interval = arguments.has("--interval") ? arguments.nanoseconds("--interval") : usual_interval;
  uint64_t most_looks = arguments.count("--count", UINT64_MAX), bound = arguments.count("--fail-above", UINT64_MAX);
  HandleWatch watch(*pid);
  if (most_looks > 1) watch.count_changes();  // one look has nothing to compare with
  Time next = monotonic_now();
  for (uint64_t looks = 0; looks < most_looks && !is_enough; looks++) {
    auto look = watch.look();
    if (!look) {
      if (looks == 0) return complain(streams, look.error());
      complain(streams, look.error());
      return ended_well;
    }
    if (exporter) exporter->set_page(watch_as_prometheus(*look));
    std::string text = is_json ? watch_as_json(*look) : watch_as_text(*look, style);
    if (!is_json && style.terminal) text.insert(0, clear_screen);
    if (Ending ending = answer(streams, text); ending.status != 0) return ending;
    if (std::ranges::any_of(look->processes, [&](const WatchedCount& process) { return process.open > bound; }))
      return ended_with_findings;
    next += interval;
    if (looks + 1 < most_looks) wait_until(next, watch);
  }
  return ended_well;
}

}  // namespace culprit
