// The processes of the tree: which lives of which pids, who made them, how they ended. Turns what is heard of them
// (from rings, from /proc, from waitpid) into process events, each once.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <unordered_map>

#include "base/fd.h"
#include "capture/code_map.h"
#include "capture/loss_counter.h"
#include "model/event_sink.h"
#include "model/trace.h"

namespace culprit {

struct WatchedProcess {
  ProcessId id = ProcessId::none;
  uint32_t pid = 0;
  ProcessId parent = ProcessId::none;
  Fd pidfd;
  bool ended = false;
  Time last_event = 0;

  // Its beginning is announced as soon as the parent's record of the call is there (that has the stack), or after a
  // while without.
  ProcessEvent birth;
  bool announced = false;
  Time announce_by = 0;
  bool fork_record_seen = false;

  // The image that runs now.
  int record = -1;  // index of its process record in shared memory; -1: none (yet)
  CodeMap code;
  Time maps_read = 0;
  bool said_hello = false;
  bool exit_snapshot = false;
  bool has_handle_events = false;

  // An exec that was announced: it succeeded when a new image says hello, or turns out not to be followed.
  Time exec_at = 0;
  std::string exec_path;
  uint32_t exec_tid = 0;
  StackId exec_stack = StackId::none;

  std::optional<int> exit_status;  // as the process itself said
  std::optional<int> wait_status;  // as waitpid gives it

  // Snapshots from outside.
  bool watched_from_outside = false;  // no agent in this image
  Time next_snapshot = 0;
  Time snapshot_cost = 0;  // of the last one
};

class ProcessBook {
 public:
  ProcessBook(TraceTables& tables, EventSink& events) : tables_(tables), events_(events) {}

  // The living one; null: not known.
  WatchedProcess* find(uint32_t pid);
  // The living one, else the one that ended last; null: never seen.
  WatchedProcess* find_or_ended(uint32_t pid);
  std::deque<WatchedProcess>& all() { return all_; }
  size_t living() const { return by_pid_.size(); }

  // Launched by us.
  WatchedProcess& launched(uint32_t pid, Time time);
  // One that the tables have already, as another recorder tells of it.
  WatchedProcess& known(uint32_t pid, ProcessId id, Time time);
  // A child that was seen before its parent told of it. `stack` and `tid` may be none.
  WatchedProcess& appeared(uint32_t pid, WatchedProcess* parent, Time time, uint32_t tid, StackId stack);
  // The parent's record of its fork.
  void forked(uint32_t pid, WatchedProcess& parent, Time time, bool shares_table, uint32_t tid, StackId stack);
  // A new image in `process`.
  void executed(WatchedProcess& process, Time time);
  void ended(WatchedProcess& process, Time now);

  // Announces births that waited long enough.
  void announce_old(Time now);
  // Name and command line as /proc has them now.
  void refresh_name(WatchedProcess& process);
  void set_sight(WatchedProcess& process, Sight sight, const std::string& reason);

 private:
  WatchedProcess& add(uint32_t pid, ProcessId id, const ProcessEvent& birth);
  WatchedProcess& add_new(uint32_t pid, WatchedProcess* parent, const ProcessEvent& birth);
  void announce(WatchedProcess& process);

  TraceTables& tables_;
  EventSink& events_;
  std::deque<WatchedProcess> all_;  // a deque: addresses stay
  std::unordered_map<uint32_t, WatchedProcess*> by_pid_;
  std::unordered_map<uint32_t, WatchedProcess*> last_ended_;
};

}  // namespace culprit
