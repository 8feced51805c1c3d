#include "capture/tracer.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <vector>

#include "target/raised_priority.h"
#include "capture/tsc_clock.h"
#include "target/cpu_follower.h"

namespace culprit {
namespace {

// Ends a wait of the tracing thread. Realtime signals above what libc keeps for itself, and below what programs like.
int wake_signal() { return SIGRTMIN + 7; }

constexpr size_t changes_at_once = 256;

// The kernel tells a tracer of every stop by SIGCHLD, unless it is told that nobody cares. Once for all tracers.
void prepare_signals() {
  static const bool is_prepared = [] {
    struct sigaction child {
    }, wake{};
    sigaction(SIGCHLD, nullptr, &child);
    child.sa_flags |= SA_NOCLDSTOP;
    sigaction(SIGCHLD, &child, nullptr);
    wake.sa_handler = [](int) {};  // without SA_RESTART: waitpid returns
    return sigaction(wake_signal(), &wake, nullptr) == 0;
  }();
  static_cast<void>(is_prepared);
}

// Signals are for the other threads. SIGCHLD stays: the kernel drops it at once if nobody handles it, but not if it is
// blocked.
void block_signals() {
  sigset_t blocked;
  sigfillset(&blocked);
  sigdelset(&blocked, SIGCHLD);
  sigdelset(&blocked, wake_signal());
  pthread_sigmask(SIG_SETMASK, &blocked, nullptr);
}

struct Change {
  pid_t tid;
  int status;
};

// All changes there are, of so many threads. Taken together: the kernel would give those of the first ones again and
// again.
void take_changes(int option, size_t threads, std::vector<Change>& changes) {
  changes.clear();
  size_t most = std::clamp<size_t>(threads, 1, changes_at_once);
  for (int wait = 0; changes.size() < most; wait = WNOHANG) {
    int status = 0;
    pid_t tid = waitpid(-1, &status, __WALL | option | wait);
    if (tid <= 0) return;
    changes.push_back({tid, status});
  }
}

}  // namespace

Tracer::Tracer(uint64_t buffer_bytes, uint64_t memory_bytes, Waits waits)
    : out_(buffer_bytes, memory_bytes / 2), waits_(waits) {
  prepare_signals();
  thread_ = std::thread([this] { work(); });
}

Tracer::~Tracer() { end(); }

void Tracer::wake() { pthread_kill(thread_.native_handle(), wake_signal()); }

void Tracer::call(const std::function<void(TracedTree&)>& what) {
  std::unique_lock lock(mutex_);
  wanted_ = &what;
  asked_.notify_one();
  // The thread may just be about to wait: it is woken until it has answered.
  while (!answered_.wait_for(lock, std::chrono::milliseconds(1), [&] { return wanted_ == nullptr; })) wake();
}

void Tracer::end() {
  if (!thread_.joinable()) return;
  call([this](TracedTree&) { ends_ = true; });
  thread_.join();
}

void Tracer::do_what_was_asked(TracedTree& tree) {
  std::unique_lock lock(mutex_);
  if (wanted_ == nullptr) return;
  is_over_ = false;  // there may be new processes
  (*wanted_)(tree);
  wanted_ = nullptr;
  publish(tree);
  answered_.notify_one();
}

void Tracer::publish(const TracedTree& tree) {
  processes_ = tree.living();
  longest_stop_ = tree.longest_stop();
  first_status_ = tree.first_status().value_or(-1);
}

void Tracer::work() {
  block_signals();
  RaisedPriority priority;
  CpuFollower follower;
  int option = waits_ == Waits::for_traced ? __WNOTHREAD : 0;
  TracedTree tree(out_);
  tree.set_wait_option(option);
  std::vector<Change> changes;
  while (!ends_) {
    do_what_was_asked(tree);
    if (is_over_) {
      std::unique_lock lock(mutex_);
      asked_.wait(lock, [&] { return wanted_ != nullptr; });
      continue;
    }
    errno = 0;
    take_changes(option, tree.threads(), changes);
    if (changes.empty() && errno == ECHILD) {
      is_over_ = true;
      out_.alert();
    }
    if (!changes.empty()) follower.stopped(static_cast<uint32_t>(changes.back().tid), monotonic_now());
    for (const Change& change : changes) tree.on_change(static_cast<uint32_t>(change.tid), change.status);
    publish(tree);
  }
}

}  // namespace culprit
