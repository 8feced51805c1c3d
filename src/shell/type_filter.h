// Hands on only what concerns handles of certain types (`record --types`).
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "model/event_sink.h"
#include "model/trace.h"

namespace culprit {

// A close does not say of what type the handle was: what each number in use is for is remembered for each
// process. A handle whose type is not known from its creation is wanted, until a snapshot knows better.
class TypeFilter final : public EventSink {
 public:
  // Both must outlive this.
  TypeFilter(const TraceTables& tables, const std::vector<std::string>& types, EventSink& next);

  void on_handle(const HandleEvent& event) override;
  void on_process(const ProcessEvent& event) override;
  void on_thread(const ThreadEvent& event) override { next_.on_thread(event); }
  void on_snapshot(const HandleSnapshot& snapshot) override;
  void on_mark(const Mark& mark) override { next_.on_mark(mark); }
  void on_loss(const Loss& loss) override { next_.on_loss(loss); }

 private:
  using Numbers = std::unordered_map<int64_t, bool>;  // in use; true: by a handle that is wanted

  bool is_wanted(StringId type);
  Numbers& of(ProcessId process);
  void made(Numbers& numbers, const HandleEvent& event);

  const TraceTables& tables_;
  std::vector<std::string> types_;
  EventSink& next_;
  std::vector<int8_t> known_types_;  // index: StringId; -1: unwanted, 1: wanted, 0: not looked at yet
  std::unordered_map<ProcessId, std::shared_ptr<Numbers>> numbers_;  // shared after clone(CLONE_FILES)
};

}  // namespace culprit
