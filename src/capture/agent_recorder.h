// The collector of the agent back end: one session of shared memory, served round by round from one thread.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "capture/death_server.h"
#include "capture/loss_counter.h"
#include "capture/module_files.h"
#include "capture/outside_watch.h"
#include "capture/process_book.h"
#include "capture/process_images.h"
#include "capture/request_server.h"
#include "capture/session_memory.h"
#include "capture/session_socket.h"
#include "capture/shared_tables.h"
#include "capture/slot_set.h"
#include "capture/tsc_clock.h"
#include "capture/victim_code.h"
#include "wire/agent_attach.h"

namespace culprit {

class AgentRecorder {
 public:
  // `tables` and `sink` must outlive it. Fewer slots than CULPRIT_SLOT_COUNT are for tests.
  static Result<std::unique_ptr<AgentRecorder>> create(const std::string& agent_library, TraceTables& tables,
                                                       EventSink& sink, uint32_t slot_count = CULPRIT_SLOT_COUNT);

  SessionMemory& memory() { return memory_; }
  std::string environment_value() const { return memory_.environment_value(socket_.name()); }

  void ask_before_exits(MayEnd may_end) { requests_.ask_before_exits(std::move(may_end)); }

  // The program at the top of the tree. With `watch_from_outside`, no agent is expected in it; the sentence says why.
  void launched(uint32_t pid, Time time, bool watch_from_outside, const std::string& sight_reason);
  // A process that runs already. plan_attach() prepares everything that takes time; when the agent is in
  // (capture/inject), attached() begins to record, with a snapshot of what is there; else abandon().
  struct AttachPlan {
    uint32_t pid = 0, record = 0;
    VictimCode code;
    culprit_attach argument;
  };
  Result<AttachPlan> plan_attach(uint32_t pid);
  void attached(const AttachPlan& plan, Time since, const std::string& blind_spots);
  // The same where memory alone is recorded, of nobody but this process.
  void attached_for_memory(const AttachPlan& plan, Time since, bool is_told_of);
  // Before plan_attach(): what processes fork and execute is not recorded.
  void follow_nobody() { store_shared(memory_.header().flags, 0); }
  void abandon(const AttachPlan& plan) { memory_.free_process(plan.record); }
  // Lets agents in that just begin, and nothing else.
  void serve_newcomers();

  // Its code as it is now.
  Result<VictimCode> code_of(uint32_t pid) { return VictimCode::read(pid, files_, shared_tables_); }
  void take_snapshots(SnapshotReason reason);
  size_t living() const { return book_.living(); }

  // How a process ended, as waitpid tells. Call it before the process is reaped, so that its pid still means it.
  void ended(uint32_t pid, int wait_status);

  // Does whatever there is to do. True: there was something.
  bool round();
  // Sleeps until something happens, at most `limit`.
  void sleep(std::chrono::microseconds limit);
  bool tree_is_alive() const { return book_.living() > 0; }

  // Processes of the tree are looked at before they die of a signal. To be said before any agent begins.
  void watch_deaths(LookAtDeath look) { deaths_.emplace(memory_, std::move(look)); }

  void build_likely_tables() { images_.build_likely_tables(); }
  // Counts what was lost since the last call into the sink.
  void hand_on_losses() { losses_.hand_on(sink_); }
  // After the last round: no agent records anything any more, everything held back goes to the sink.
  void finish();

 private:
  AgentRecorder(SessionMemory memory, SessionSocket socket, TraceTables& tables, EventSink& sink);

  void begin_with(WatchedProcess& process, const AttachPlan& plan);
  void count_children_left_out(const WatchedProcess& process);
  void retire_image(WatchedProcess& process);
  void process_ended(WatchedProcess& process);
  void find_ended_processes();

  SessionMemory memory_;
  SessionSocket socket_;
  TraceTables& tables_;
  EventSink& sink_;
  TscClock clock_;
  LossCounter losses_;
  ProcessBook book_;
  ModuleFiles files_;
  SharedTables shared_tables_;
  ProcessImages images_;
  CallNames calls_;
  DecoderShared shared_;
  SlotSet slots_;
  RequestServer requests_;
  OutsideWatch outside_;
  std::optional<DeathServer> deaths_;
  Time last_end_check_ = 0, last_thread_check_ = 0;
  uint64_t tables_left_out_ = 0;
};

}  // namespace culprit
