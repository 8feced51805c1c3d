// What is set up around a program while it runs under culprit, and taken back afterwards.
#pragma once

#include <sys/prctl.h>
#include <sys/resource.h>

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "capture/recorder.h"
#include "capture/tree_signals.h"

namespace culprit {

// pidfds of a large tree are many. The child gets the limit back that culprit was started with.
class RaisedFileLimit {
 public:
  RaisedFileLimit() {
    getrlimit(RLIMIT_NOFILE, &original_);
    rlimit raised = original_;
    raised.rlim_cur = std::min<rlim_t>(raised.rlim_max, 65536);
    if (raised.rlim_cur > original_.rlim_cur) setrlimit(RLIMIT_NOFILE, &raised);
  }
  ~RaisedFileLimit() { restore(); }
  void restore() const { setrlimit(RLIMIT_NOFILE, &original_); }

 private:
  rlimit original_{};
};

class Subreaper {
 public:
  Subreaper() {
    prctl(PR_GET_CHILD_SUBREAPER, &original_);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
  }
  ~Subreaper() { prctl(PR_SET_CHILD_SUBREAPER, original_); }

 private:
  int original_ = 0;
};

// What surrounds the program while it runs.
struct Surroundings {
  Surroundings(uint32_t& doorbell, int program_priority) : priority(program_priority), signals(doorbell) {}

  int priority;  // what the program gets
  RaisedFileLimit file_limit;
  Subreaper subreaper;
  TreeSignals signals;
};

// With these words, in these surroundings. `on_forked` as for launch().
Result<pid_t> launch_in(Surroundings& surroundings, const std::string& program, const RunRequest& request,
                        const std::vector<std::string>& environment,
                        const std::function<Result<void>(pid_t)>& on_forked = {});

std::vector<std::string> own_environment();
RunOutcome not_started(const RunRequest& request, const Error& error);

}  // namespace culprit
