// Carries what one thread records over to another. The recording thread has tables of its own, so that it never waits
// for whoever writes; what their ids mean goes along with the events, and is translated where they arrive.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <variant>
#include <vector>

#include "model/event_sink.h"
#include "model/trace.h"

namespace culprit {

class HandOver final : public EventSink {
 public:
  // `bytes`: how much may be under way. Beyond, the recording thread waits a little, then handle events are dropped and
  // counted. `table_bytes`: how large its tables may become.
  HandOver(uint64_t bytes, uint64_t table_bytes) : limit_(bytes) { source_.limit_memory(table_bytes); }

  // --- the recording thread ---
  TraceTables& tables() { return source_; }
  void on_handle(const HandleEvent& event) override;
  void on_process(const ProcessEvent& event) override { add(event, event.process); }
  void on_thread(const ThreadEvent& event) override { add(event); }
  void on_snapshot(const HandleSnapshot& snapshot) override;
  void on_mark(const Mark& mark) override { add(mark); }
  void on_loss(const Loss& loss) override { add(loss); }
  // Its row in the tables has changed.
  void process_changed(ProcessId process);
  // Something happened that the other thread should look at soon.
  void alert();

  // --- the other ---
  // Everything that waits goes to `sink`, with ids of `tables`. False: nothing did.
  bool deliver(TraceTables& tables, EventSink& sink);
  // Until much waits or alert() was called, at most `limit`: every wake-up costs the recording thread.
  void wait(std::chrono::microseconds limit);
  uint64_t delivered_handle_events() const { return delivered_; }
  uint64_t dropped() const;

 private:
  using Item = std::variant<HandleEvent, ProcessEvent, ThreadEvent, HandleSnapshot, Mark, Loss>;
  // What is new in the tables, then events that may use it.
  struct Batch {
    std::vector<std::string> strings;
    std::vector<Module> modules;
    std::vector<std::pair<ProcessId, Process>> processes;
    std::vector<StackTable::Node> stacks;
    std::vector<Item> items;
    uint64_t bytes = 0;
  };
  // What the ids of the source are called in the tables of the other thread.
  struct Translation {
    std::vector<StringId> strings;
    std::vector<ModuleId> modules;
    std::vector<ProcessId> processes;
    std::vector<StackId> stacks;
  };

  void add(Item item, ProcessId changed = ProcessId::none);
  bool has_room(std::unique_lock<std::mutex>& lock);
  bool has_much() const { return is_alerted_ || waiting_.bytes >= limit_ / 4; }
  void add_definitions(ProcessId changed);
  void define(const Batch& batch, TraceTables& tables);
  void translate(HandleEvent& event) const;
  void translate(ProcessEvent& event) const;
  void translate(ThreadEvent& event) const;
  void translate(HandleSnapshot& snapshot) const;
  void translate(Loss& loss) const;

  // The recording thread's.
  TraceTables source_;
  size_t strings_told_ = 1, modules_told_ = 1, processes_told_ = 1, stacks_told_ = StackTable::first_id;

  // Of both.
  mutable std::mutex mutex_;
  std::condition_variable room_came_, much_waits_;
  Batch waiting_;
  uint64_t limit_;
  uint64_t dropped_ = 0;
  bool is_stuck_ = false;  // one wait for room was in vain
  bool is_alerted_ = false;

  // The other thread's.
  Translation translation_{{StringId::none}, {ModuleId::none}, {ProcessId::none}, {StackId::none, StackId::truncated}};
  uint64_t delivered_ = 0;
};

}  // namespace culprit
