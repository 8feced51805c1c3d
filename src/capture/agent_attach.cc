#include "capture/agent_attach.h"

#include <fmt/core.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <thread>

#include "base/syscall.h"
#include "base/text.h"
#include "capture/agent_recorder.h"
#include "capture/counting_sink.h"
#include "capture/eject.h"
#include "capture/entry_patching.h"
#include "capture/handle_calls.h"
#include "capture/inject.h"
#include "capture/memory_sink.h"
#include "capture/victim_check.h"
#include "target/raised_priority.h"

namespace culprit {
namespace {

// Work on threads of a process gets a thread of its own: when that ends, the kernel lets go of whatever it may still
// hold. Meanwhile `serve` is called again and again.
template <typename Work, typename Serve>
auto in_own_thread(Work work, Serve serve) {
  std::optional<decltype(work())> result;
  std::atomic<bool> is_done = false;
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread worker([&] {
    RaisedPriority priority;  // somebody stands still
    result = work();
    is_done = true;
  });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  while (!is_done) {
    serve();
    std::this_thread::sleep_for(std::chrono::microseconds(100));
  }
  worker.join();
  return std::move(*result);
}

class AgentAttach final : public LiveRecorder {
 public:
  AgentAttach(const WatchRequest& request, AgentFile agent, EventSink& sink)
      : request_(request),
        pid_(request.pids.front()),
        agent_(std::move(agent)),
        sink_(sink),
        memory_sink_(sink_, request.memory.value_or(BlockSizes{}), !request.is_second) {}
  ~AgentAttach() override { finish(); }

  Result<void> start(TraceTables& tables) {
    Result<void> started = begin(tables);
    const bool has_failed = !started && started.error().kind != ErrorKind::gone;
    return has_failed && is_on_its_way_out(pid_) ? fail(ErrorKind::gone, fmt::format("process {} has ended", pid_))
                                                 : started;
  }

  std::string name() const override { return "agent"; }
  bool round() override { return recorder_->round(); }
  void sleep(std::chrono::microseconds limit) override { recorder_->sleep(limit); }
  void take_snapshots(SnapshotReason reason) override {
    if (request_.handles) recorder_->take_snapshots(reason);
  }
  void hand_on_losses() override { recorder_->hand_on_losses(); }
  void ended(uint32_t pid, int wait_status) override { recorder_->ended(pid, wait_status); }
  bool can_record_memory() const override { return true; }

  Result<void> record_memory(const BlockSizes& sizes) override {
    std::string unseen;
    auto put = in_process(pid_, [&](TouchedProcess& victim, const AgentPresence& agent) -> Result<void> {
      auto blind_spot = put_entries(victim, agent, allocator_.allocator, allocator_.gate, sizes);
      if (!blind_spot) return tl::unexpected<Error>(blind_spot.error());
      unseen = *blind_spot;
      return {};
    });
    has_entries_ = put.has_value();
    if (put && !unseen.empty()) events().on_loss({LossKind::process_not_followed, 1, ProcessId::none, unseen});
    if (put) return {};
    return fail(put.error().kind,
                fmt::format("the memory of process {} cannot be recorded: {}", pid_, put.error().what));
  }

  // At once in the process itself, as it may be in a hurry; then in what it has forked since.
  Result<void> leave_memory() override {
    if (!std::exchange(has_entries_, false)) return {};
    auto take = [&](TouchedProcess& victim, const AgentPresence& agent) {
      return take_entries(victim, agent, allocator_.gate);
    };
    Result<void> result = in_process(pid_, take);
    if (!result && result.error().kind != ErrorKind::gone) {
      has_entries_ = true;
      return result;
    }
    result = {};
    for (uint32_t pid : processes_of_session(recorder_->memory().inode())) {
      auto taken = in_process(pid, take);
      if (!taken && taken.error().kind != ErrorKind::gone) result = tl::unexpected<Error>(taken.error());
    }
    return result;
  }

  bool has_targets() const override { return recorder_->tree_is_alive(); }

  RecorderStatus status() const override {
    return {sink_.events(), sink_.lost(), is_recording_ ? static_cast<uint32_t>(recorder_->living()) : 0, longest_stop_,
            what_is_left()};
  }

  void finish() override {
    if (!std::exchange(is_recording_, false)) return;
    leave_memory();
    // What nobody explains is believed when it is seen twice.
    for (int time = 0; time < 2; time++) {
      recorder_->round();
      take_snapshots(SnapshotReason::on_demand);
    }
    take_agents_out();
    recorder_->finish();
  }

 private:
  EventSink& events() {
    if (request_.handles) return sink_;
    return memory_sink_;
  }

  template <typename Work>
  Result<void> in_process(uint32_t pid, Work work) {
    auto memory = VictimMemory::open(pid);
    if (!memory) return tl::unexpected<Error>(memory.error());
    auto code = recorder_->code_of(pid);
    if (!code) return tl::unexpected<Error>(code.error());
    auto agent = find_agent(pid, agent_);
    if (!agent) return tl::unexpected<Error>(agent.error());
    TouchedProcess victim{pid, std::move(*memory), *code, 0, {}};
    auto result = in_own_thread([&]() -> Result<void> { return work(victim, *agent); }, [&] { recorder_->round(); });
    longest_stop_ = std::max(longest_stop_, victim.longest_stop);
    return result;
  }

  Result<void> begin(TraceTables& tables) {
    CULPRIT_TRY(check_victim(pid_, agent_));
    auto recorder = AgentRecorder::create(agent_.path, tables, events());
    if (!recorder) return tl::unexpected<Error>(recorder.error());
    recorder_ = std::move(*recorder);
    if (!request_.handles) recorder_->follow_nobody();
    CULPRIT_TRY(clear_leftovers());
    auto memory = VictimMemory::open(pid_);
    if (!memory) return not_attached(memory.error());
    auto plan = recorder_->plan_attach(pid_);
    if (!plan) return not_attached(plan.error());
    Time since = monotonic_now();
    auto injected = put_agent_in(*plan, std::move(*memory));
    if (!injected) {
      recorder_->abandon(*plan);
      take_agent_out(pid_);
      return not_attached(injected.error());
    }
    allocator_ = plan->argument;
    if (request_.handles)
      recorder_->attached(*plan, since, blind_spots(*injected));
    else
      recorder_->attached_for_memory(*plan, since, request_.is_second);
    is_recording_ = true;
    return request_.memory ? record_memory(*request_.memory) : Result<void>();
  }

  tl::unexpected<Error> not_attached(const Error& error) const {
    bool names_it = error.what.starts_with("process ") || error.what.starts_with("no thread of process ");
    return fail(error.kind,
                names_it ? error.what : fmt::format("process {} cannot be attached to: {}", pid_, error.what));
  }

  // Of a culprit that was killed. One that lives is left alone.
  Result<void> clear_leftovers() {
    auto present = find_agent(pid_, agent_);
    if (!present) return tl::unexpected<Error>(present.error());
    if (!present->is_anything()) return {};
    if (uint32_t collector = living_collector(pid_, *present); collector != 0) {
      return fail(ErrorKind::unsupported,
                  fmt::format("process {} is being recorded already, by culprit (process {})", pid_, collector));
    }
    take_agent_out(pid_);
    present = find_agent(pid_, agent_);
    if (present && (present->has_wrappers || !present->session.empty())) {
      return fail(ErrorKind::unsupported,
                  fmt::format("process {} still has the agent of another culprit in it, which cannot be taken out: {}",
                              pid_, what_is_left()));
    }
    left_behind_.clear();
    return {};
  }

  static std::string blind_spots(const std::vector<uint16_t>& left_out) {
    if (left_out.empty()) return "";
    std::string calls;
    for (uint16_t number : left_out) calls += (calls.empty() ? "" : ", ") + describe_call(number, 0).call;
    return fmt::format(
        "places of its libc that are not as expected, or cannot be changed while it runs, stay as they "
        "are; what they make is only found by comparing with /proc: {}",
        calls);
  }

  Result<std::vector<uint16_t>> put_agent_in(AgentRecorder::AttachPlan& plan, VictimMemory memory) {
    TouchedProcess victim{pid_, std::move(memory), plan.code, 0, {}};
    auto result = in_own_thread([&] { return inject(victim, agent_, plan.argument, request_.handles); },
                                [&] { recorder_->serve_newcomers(); });
    longest_stop_ = std::max(longest_stop_, victim.longest_stop);
    return result;
  }

  void take_agent_out(uint32_t pid) {
    auto memory = VictimMemory::open(pid);
    if (!memory) return;
    auto code = recorder_->code_of(pid);
    if (!code) return;
    TouchedProcess victim{pid, std::move(*memory), *code, 0, {}};
    auto serve = [&] {
      if (is_serving_) recorder_->round();
    };
    auto ejection = in_own_thread([&] { return eject(victim, agent_); }, serve);
    longest_stop_ = std::max(longest_stop_, victim.longest_stop);
    if (has_ended(pid) || (!ejection && ejection.error().kind == ErrorKind::gone)) return;
    std::string left = ejection ? ejection->left_behind : "the agent, asleep: " + ejection.error().what;
    if (!left.empty()) left_behind_[left].push_back(pid);
  }

  // And out of what the process has started; something may start while we are at it.
  void take_agents_out() {
    constexpr int looks = 4;
    is_serving_ = true;
    std::vector<uint32_t> done;
    for (int look = 0; look < looks; look++) {
      std::vector<uint32_t> found = processes_of_session(recorder_->memory().inode());
      std::erase_if(found, [&](uint32_t pid) { return std::ranges::find(done, pid) != done.end(); });
      if (found.empty()) return;
      for (uint32_t pid : found) take_agent_out(pid);
      done.insert(done.end(), found.begin(), found.end());
    }
  }

  std::string what_is_left() const {
    std::string sentence;
    for (const auto& [what, pids] : left_behind_) {
      std::string where = pids.size() == 1 ? fmt::format("process {}", pids.front())
                                           : fmt::format("{} processes ({}, …)", pids.size(), pids.front());
      sentence += fmt::format("{}{}: {}", sentence.empty() ? "" : "; ", where, what);
    }
    return sentence;
  }

  WatchRequest request_;
  uint32_t pid_;
  AgentFile agent_;
  CountingSink sink_;
  MemorySink memory_sink_;
  culprit_attach allocator_{};  // what the agent said of it
  bool has_entries_ = false;    // of the allocator, patched
  std::unique_ptr<AgentRecorder> recorder_;
  bool is_recording_ = false, is_serving_ = false;
  Time longest_stop_ = 0;
  std::map<std::string, std::vector<uint32_t>> left_behind_;  // what, in which processes
};

Result<void> check_library_path(const std::string& path) {
  if (path.empty()) return fail(ErrorKind::not_found, "the agent library (libculprit_agent.so) is not beside culprit");
  // It goes into LD_PRELOAD of the programs that the process starts.
  if (path.find_first_of(": \t\n") != std::string::npos) {
    return fail(ErrorKind::unsupported, fmt::format("the path of the agent library, {}, has a space or colon; install "
                                                    "culprit elsewhere",
                                                    printable(path)));
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<LiveRecorder>> start_agent_recorder(const WatchRequest& request, const AgentLibraries& libraries,
                                                           TraceTables& tables, EventSink& sink) {
  if (request.pids.size() != 1 || !request.is_one_process())
    return fail(ErrorKind::unsupported, "it records one process that runs already");
  CULPRIT_TRY(check_library_path(libraries.patching));
  auto agent = AgentFile::open(libraries.patching);
  if (!agent) return tl::unexpected<Error>(agent.error());
  auto attach = std::make_unique<AgentAttach>(request, std::move(*agent), sink);
  CULPRIT_TRY(attach->start(tables));
  return attach;
}

}  // namespace culprit
