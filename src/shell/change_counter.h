// How many handles the processes make and close, where the kernel tells (root): for `culprit watch`.
#pragma once

#include <cstdint>
#include <map>
#include <memory>

#include "analysis/open_handles.h"
#include "capture/ladder.h"

namespace culprit {

class ChangeCounter {
 public:
  // 0: of the whole machine. Where the kernel does not tell, has_counts() is false for ever.
  explicit ChangeCounter(uint32_t pid);

  // Takes what the kernel told; often enough that its ring does not run full.
  void round();
  // Since the one before; false: they are not known (events were lost, or it had to begin anew).
  bool next_look();

  struct Changes {
    uint64_t made = 0, closed = 0;
  };
  Changes of(uint32_t pid) const;

 private:
  // Everything that grows with time, so that it can begin anew.
  struct Session final : EventSink {
    Session();
    void on_handle(const HandleEvent& event) override { open.on_handle(event); }
    void on_process(const ProcessEvent& event) override { open.on_process(event); }
    void on_thread(const ThreadEvent&) override {}
    void on_snapshot(const HandleSnapshot& snapshot) override { open.on_snapshot(snapshot); }
    void on_mark(const Mark&) override {}
    void on_loss(const Loss& loss) override { has_lost |= loss.kind == LossKind::ring_full; }
    std::map<uint32_t, Changes> counts() const;

    TraceTables tables;
    OpenHandles open;
    std::unique_ptr<LiveRecorder> recorder;
    bool has_lost = false;
  };
  void begin();

  uint32_t pid_;
  std::unique_ptr<Session> session_;
  std::map<uint32_t, Changes> last_, changes_;  // by pid: in all, since the look before
};

}  // namespace culprit
