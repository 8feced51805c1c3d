#include "shell/recorder_daemon.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <deque>

#include "base/syscall.h"
#include "base/text.h"
#include "capture/handle_count.h"
#include "capture/tsc_clock.h"
#include "capture/watch_filter.h"

namespace culprit {

namespace {

constexpr Time tick_interval = 1'000'000'000, shortest_tick = 10'000'000;
constexpr Time rate_window = 5'000'000'000;
constexpr uint64_t ticks_per_card = 10;
constexpr int request_patience_ms = 1000;
constexpr size_t longest_request = 32;

double seconds(Time time) { return static_cast<double>(time) / 1e9; }

uint64_t handles_of(std::string_view whose, const WatchRequest& watch) {
  auto count = [](uint32_t pid) { return count_handles(pid).value_or(0); };
  uint64_t sum = 0, most = 0;
  const bool is_pid = std::ranges::all_of(whose, [](char c) { return c >= '0' && c <= '9'; });
  if (is_pid && whose.size() < 10) return count(static_cast<uint32_t>(std::stoul(std::string(whose))));
  WatchRequest by_name;
  by_name.names = {std::string(whose)};
  for (uint32_t pid : processes_meant(whose == "all" ? watch : by_name)) {
    const uint64_t handles = count(pid);
    sum += handles;
    most = std::max(most, handles);
  }
  return whose == "all" ? sum : most;
}

uint64_t resident_memory() {
  auto text = read_whole_file("/proc/self/statm", 256);
  unsigned long pages = 0;
  if (text && std::sscanf(text->c_str(), "%*s %lu", &pages) != 1) pages = 0;
  return pages * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
}

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  auto of = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return of(usage.ru_utime) + of(usage.ru_stime);
}

class RecorderDaemon {
 public:
  RecorderDaemon(RecorderPlan plan, const RecorderFolder& folder) : plan_(std::move(plan)), folder_(folder) {}

  Result<RecorderReport> begin();
  void run();

 private:
  RecorderReport report();
  void tick();
  std::string reason_to_end(const SessionStatus& status);
  void take_request();
  void reply(int fd, const std::string& request);
  void finish(std::string because);
  void say_how_it_ended(bool somebody_asked);

  RecorderPlan plan_;
  const RecorderFolder& folder_;
  std::unique_ptr<LiveSession> session_;
  Fd socket_, signals_;
  std::deque<std::pair<Time, uint64_t>> samples_;  // events over time
  RecorderReport last_;
  uint64_t ticks_ = 0;
  Time end_ = INT64_MAX;  // of --for
  bool over_ = false, discarded_ = false;
};

Result<RecorderReport> RecorderDaemon::begin() {
  sigset_t set;
  sigemptyset(&set);
  for (int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, signal);
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  auto signals = checked("make a signalfd", [&] { return ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK); });
  if (!signals) return tl::unexpected<Error>(signals.error());
  signals_ = Fd(*signals);
  auto socket = folder_.listen(plan_.name);
  if (!socket) return tl::unexpected<Error>(socket.error());
  socket_ = std::move(*socket);
  auto session = LiveSession::start(plan_.request);
  if (!session) return tl::unexpected<Error>(session.error());
  session_ = std::move(*session);
  if (plan_.duration != 0) end_ = session_->whole_status().started + plan_.duration;
  RecorderReport begun = report();
  CULPRIT_TRY(folder_.write_card(begun));
  return begun;
}

std::string trouble_of(const SessionStatus& status) {
  if (status.blocks_lost > 0)
    return fmt::format("{} of events could not be written, {}: {}", counted(status.blocks_lost, "block", "blocks"),
                       status.waits_for_room ? "and more wait" : "and are missing", status.last_failure);
  return status.waits_for_room ? "events wait for room: " + status.last_failure : "";
}

RecorderReport RecorderDaemon::report() {
  const SessionStatus status = session_->whole_status();
  const RecordingBounds& bounds = plan_.request.bounds;
  RecorderReport report;
  report.name = plan_.name;
  report.pid = static_cast<uint32_t>(::getpid());
  report.what = plan_.request.what;
  report.back_end = session_->back_end();
  report.refused = session_->refused();
  report.file = plan_.request.output + ".partial";
  report.trouble = trouble_of(status);
  report.circular = bounds.circular != 0;
  report.limit = std::max(bounds.circular, bounds.max_size);
  report.bytes = status.bytes;
  report.events = status.recorder.events;
  report.lost = status.recorder.lost;
  if (!samples_.empty() && status.now > samples_.front().first)
    report.rate = static_cast<double>(status.recorder.events - samples_.front().second) /
                  seconds(status.now - samples_.front().first);
  report.processes = status.recorder.processes;
  report.elapsed = seconds(status.now - status.started);
  report.complete_from = status.complete_from == 0 ? 0 : seconds(status.complete_from - status.started);
  report.cpu = cpu_seconds();
  report.memory = resident_memory();
  report.longest_stop = seconds(status.recorder.longest_stop);
  return report;
}

std::string RecorderDaemon::reason_to_end(const SessionStatus& status) {
  if (status.now >= end_) return "the time of --for is over";
  if (status.is_full) return "the file has the size of --max-size";
  if (!session_->has_targets()) return "what was recorded has ended";
  if (!plan_.stop_when) return "";
  StopFacts facts{.events = status.recorder.events, .size = status.bytes, .handles = [&](std::string_view whose) {
                    return handles_of(whose, plan_.request.watch);
                  }};
  return plan_.stop_when->holds(facts) ? plan_.stop_when_text : "";
}

void RecorderDaemon::tick() {
  const SessionStatus status = session_->whole_status();
  samples_.emplace_back(status.now, status.recorder.events);
  while (samples_.front().first < status.now - rate_window) samples_.pop_front();
  if (std::string because = reason_to_end(status); !because.empty()) return finish(because);
  // So that something is known of a recorder that was killed.
  if (++ticks_ % ticks_per_card == 0) (void)folder_.write_card(report());
}

void RecorderDaemon::finish(std::string because) {
  auto finished = session_->finish();
  last_ = report();
  last_.state = finished ? RecorderState::ended : RecorderState::died;
  last_.ended_because = std::move(because);
  if (finished) last_.file = plan_.request.output;
  if (!finished) last_.trouble = finished.error().what;
  if (std::string left = session_->status().left_behind; !left.empty() && last_.trouble.empty()) last_.trouble = left;
  over_ = true;
}

// A client says one word. Whoever says nothing, or too much, is not waited for.
void RecorderDaemon::take_request() {
  Fd client(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!client) return;
  std::string request;
  char buffer[longest_request];
  pollfd waiting{client.get(), POLLIN, 0};
  while (request.find('\n') == request.npos && request.size() < longest_request) {
    if (::poll(&waiting, 1, request_patience_ms) != 1) return;
    ssize_t got = ::read(client.get(), buffer, sizeof(buffer));
    if (got <= 0) return;
    request.append(buffer, static_cast<size_t>(got));
  }
  reply(client.get(), request.substr(0, request.find('\n')));
}

void RecorderDaemon::reply(int fd, const std::string& request) {
  if (request == "status") {
    (void)write_all(fd, recorder_as_json(report()));
  } else if (request == "stop") {
    finish("it was told to stop");
    say_how_it_ended(true);
    (void)write_all(fd, recorder_as_json(last_));
  } else if (request == "cancel") {
    last_ = report();
    session_->discard();
    over_ = discarded_ = true;
    say_how_it_ended(true);
    (void)write_all(fd, recorder_as_json(last_));
  }
}

// Somebody who asked knows it now; else it stays to be asked.
void RecorderDaemon::say_how_it_ended(bool somebody_asked) {
  if (somebody_asked) {
    folder_.forget(plan_.name);
  } else {
    (void)folder_.write_card(last_);
  }
}

int milliseconds_until(Time time) {
  return static_cast<int>(std::max<Time>(time - monotonic_now(), 0) / 1'000'000) + 1;
}

void RecorderDaemon::run() {
  Time next_tick = monotonic_now();
  while (!over_) {
    if (monotonic_now() >= next_tick) {
      next_tick = std::min(monotonic_now() + tick_interval, std::max(end_, monotonic_now() + shortest_tick));
      tick();
      if (over_) return say_how_it_ended(false);
    }
    pollfd waiting[] = {{socket_.get(), POLLIN, 0}, {signals_.get(), POLLIN, 0}};
    ::poll(waiting, 2, milliseconds_until(next_tick));
    if (waiting[0].revents != 0) take_request();
    signalfd_siginfo info{};
    if (!over_ && ::read(signals_.get(), &info, sizeof(info)) == sizeof(info)) {
      finish(fmt::format("it got the signal {}", ::sigabbrev_np(static_cast<int>(info.ssi_signo))));
      say_how_it_ended(false);
    }
  }
}

// Each recorded process may cost a descriptor.
void raise_file_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = std::max(limit.rlim_cur, std::min<rlim_t>(limit.rlim_max, 65536));
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

// The daemon: its own session, its own child of init, nothing of the terminal. Never returns.
[[noreturn]] void become_recorder(RecorderPlan plan, const RecorderFolder& folder, Fd ready) {
  ::setsid();
  if (::fork() != 0) ::_exit(0);
  (void)::chdir("/");
  raise_file_limit();
  Fd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  for (int fd : {0, 1, 2}) ::dup2(null.get(), fd);
  const std::string name = plan.name;
  RecorderDaemon daemon(std::move(plan), folder);
  auto begun = daemon.begin();
  (void)write_all(ready.get(), begun ? "+" + recorder_as_json(*begun) : "-" + begun.error().what);
  ready.reset();
  if (begun) {
    daemon.run();
  } else {
    folder.forget(name);
  }
  ::_exit(0);
}

Result<RecorderReport> what_it_says(int fd, const std::string& name) {
  std::string said;
  char buffer[4096];
  for (;;) {
    ssize_t got = ::read(fd, buffer, sizeof(buffer));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    said.append(buffer, static_cast<size_t>(got));
  }
  if (said.empty()) return fail(ErrorKind::gone, fmt::format("the recorder {} died before it began", name));
  if (said[0] == '-') return fail(ErrorKind::unsupported, said.substr(1));
  auto report = recorder_from_json(std::string_view(said).substr(1));
  if (!report) return fail(ErrorKind::system, "the recorder said something that is not understood");
  return *report;
}

}  // namespace

Result<RecorderReport> start_recorder(RecorderPlan plan, const RecorderFolder& folder) {
  auto lock = folder.lock_free_name(plan.name);  // the child keeps it
  if (!lock) return tl::unexpected<Error>(lock.error());
  int ends[2];
  CULPRIT_TRY(checked("make a pipe", [&] { return ::pipe2(ends, O_CLOEXEC); }));
  Fd read_end(ends[0]), write_end(ends[1]);
  auto child = checked("start the recorder", [] { return ::fork(); });
  if (!child) return tl::unexpected<Error>(child.error());
  if (*child == 0) {
    read_end.reset();
    become_recorder(std::move(plan), folder, std::move(write_end));
  }
  write_end.reset();
  ::waitpid(*child, nullptr, 0);
  return what_it_says(read_end.get(), plan.name);
}

}  // namespace culprit
