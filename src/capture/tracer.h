// The thread that traces: ptrace belongs to threads. Others have it do things by call(). They must not wait (waitpid)
// for a process that is traced, not even if it is a child of theirs: they would take its stops away.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>

#include "capture/hand_over.h"
#include "capture/traced_tree.h"

namespace culprit {

class Tracer {
 public:
  enum class Waits : uint8_t {
    for_traced,    // only for processes that it traces
    for_children,  // and for the children of the whole culprit: then nobody else may wait for any
  };
  Tracer(uint64_t buffer_bytes, uint64_t memory_bytes, Waits waits);
  // Whatever is still traced is let go by the kernel as it is.
  ~Tracer();
  Tracer(const Tracer&) = delete;
  Tracer& operator=(const Tracer&) = delete;

  // Runs it on the tracing thread, and waits for that. Not after end().
  void call(const std::function<void(TracedTree&)>& what);
  // The tracing thread ends.
  void end();

  HandOver& out() { return out_; }
  const HandOver& out() const { return out_; }
  // Nothing is traced any more, and there are no children to wait for.
  bool is_over() const { return is_over_; }
  size_t processes() const { return processes_; }
  std::optional<int> first_status() const {
    int64_t status = first_status_;
    return status < 0 ? std::nullopt : std::optional(static_cast<int>(status));
  }
  Time longest_stop() const { return longest_stop_; }

 private:
  void work();
  void do_what_was_asked(TracedTree& tree);
  void publish(const TracedTree& tree);
  void wake();

  HandOver out_;
  Waits waits_;
  std::atomic<bool> is_over_ = false;
  std::atomic<size_t> processes_ = 0;
  std::atomic<Time> longest_stop_ = 0;
  std::atomic<int64_t> first_status_ = -1;

  std::mutex mutex_;
  std::condition_variable asked_, answered_;
  const std::function<void(TracedTree&)>* wanted_ = nullptr;
  bool ends_ = false;
  std::thread thread_;
};

}  // namespace culprit
