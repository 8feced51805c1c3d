// The abstract unix socket from which processes that cannot open /proc/PID/fd get the session's memory.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace culprit {

class SessionSocket {
 public:
  static Result<SessionSocket> create(uint64_t session_id);

  const std::string& name() const { return name_; }  // without the leading NUL
  // Sends `memory` to everybody who connected since, if the peer is a descendant of this process (or of one that was
  // let in) or of our user; never blocks.
  void serve(int memory);
  // A process that runs already, and what it starts.
  void let_in(uint32_t pid) { let_in_.push_back(pid); }

 private:
  SessionSocket(Fd fd, std::string name) : fd_(std::move(fd)), name_(std::move(name)) {}
  Fd fd_;
  std::string name_;
  std::vector<uint32_t> let_in_;
};

}  // namespace culprit
