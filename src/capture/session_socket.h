// The abstract unix socket from which processes that cannot open /proc/PID/fd get the session's memory.
#pragma once

#include <cstdint>
#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace culprit {

class SessionSocket {
 public:
  static Result<SessionSocket> create(uint64_t session_id);

  const std::string& name() const { return name_; }  // without the leading NUL
  // Sends `memory` to everybody who connected since, if the peer is a descendant of this process or of our user; never
  // blocks.
  void serve(int memory);

 private:
  SessionSocket(Fd fd, std::string name) : fd_(std::move(fd)), name_(std::move(name)) {}
  Fd fd_;
  std::string name_;
};

}  // namespace culprit
