// Looks at processes as they end, each in a thread of its own, as the recorder must go on meanwhile.
#pragma once

#include <atomic>
#include <future>
#include <map>
#include <memory>

#include "capture/exiting_process.h"
#include "model/event_sink.h"

namespace culprit {

// One thread calls everything.
class ExitLooks {
 public:
  // See MayEnd. What is seen is kept until it is handed on.
  bool may_end(const ExitingProcess& exiting);
  // Waits for those that are still at work.
  void hand_on(EventSink& sink);

 private:
  struct Look {
    std::atomic<bool> is_let_go = false;
    std::future<UnreachableBlocks> found;
  };
  size_t at_work() const;

  std::map<ProcessId, std::unique_ptr<Look>> looks_;
};

}  // namespace culprit
