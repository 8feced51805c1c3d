// The processes that the bpf back end sees: what the process book knows, and what the kernel side is told about each.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "capture/bpf_code.h"
#include "capture/process_book.h"
#include "capture/told_code.h"

namespace culprit {

struct BpfProcess {
  WatchedProcess* book = nullptr;
  uint64_t life = 0;  // the kernel's start time; 0: not known yet
  PublishedCode code;
  uint64_t table = 0;                           // its handle table; 0: not known yet
  std::unordered_set<uint64_t> foreign_tables;  // of single threads
  std::unordered_set<uint32_t> threads;         // whose names were told
  // Of the table that is being told, ascending by value: the numbers, and of the first ones what they are.
  std::vector<SnapshotEntry> table_entries, described;
  ToldCode told;
  std::shared_ptr<const CodeMap> map;  // of what was told so far; null: changed since
  bool must_read = false;              // only /proc tells its mappings
  bool wants_code = false;             // its mappings are to be read
  bool seemed_ended = false;           // at the last look; its end may still be on its way
  bool waits_for_tables = false;       // published without some that are being built
};

class BpfProcesses {
 public:
  BpfProcesses(TraceTables& tables, EventSink& events, BpfProgram& program, BpfTables& unwind_tables,
               ModuleFiles& files)
      : tables_(tables),
        events_(events),
        program_(program),
        files_(files),
        book_(tables, events),
        code_(program, unwind_tables) {}

  ProcessBook& book() { return book_; }
  // Null: not known.
  BpfProcess* find(uint32_t pid);
  // The process of an event; made known if it is new, or another life of its pid.
  BpfProcess& of(uint32_t pid, uint64_t life, Time time);
  BpfProcess& found_running(uint32_t pid, Time time);
  // By culprit itself.
  void launched(uint32_t pid, uint64_t life, Time time) { add(book_.launched(pid, time), life); }

  void forked(BpfProcess& parent, uint32_t pid, uint64_t life, Time time, bool shares_table, uint32_t tid,
              StackId stack, uint64_t code_key);
  void executed(BpfProcess& process, Time time, uint32_t tid, uint64_t code_key,
                std::span<const uint64_t> auxiliary_vector, std::string_view path, std::string_view arguments);
  void ended(BpfProcess& process, Time time, int wait_status);
  // Those whose end was not told: seen ended twice, with all events of the time between taken.
  void find_ended(Time now);

  void name_thread(BpfProcess& process, uint32_t tid, Time time);
  // Whether the table is the process's, and not a thread's own.
  bool owns_table(BpfProcess& process, uint64_t table, uint32_t tid);

  // Where the code of the process is, as of the events taken so far. Never null.
  std::shared_ptr<const CodeMap> map_of(BpfProcess& process);
  // Publishes the code of those that want it, and of those that wait for tables if some were `placed`.
  void publish_code(bool placed);
  void end_of_round() { code_.end_of_round(); }

  std::unordered_map<uint32_t, std::unique_ptr<BpfProcess>>& all() { return by_pid_; }
  size_t living() const { return by_pid_.size(); }
  uint64_t left_out() const { return code_.left_out(); }

 private:
  bool read_mappings(BpfProcess& process);
  BpfProcess& add(WatchedProcess& process, uint64_t life);
  void forget_code(BpfProcess& process);

  TraceTables& tables_;
  EventSink& events_;
  BpfProgram& program_;
  ModuleFiles& files_;
  ProcessBook book_;
  BpfCode code_;
  std::unordered_map<uint32_t, std::unique_ptr<BpfProcess>> by_pid_;
};

}  // namespace culprit
