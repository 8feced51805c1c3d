// Processes seen from outside: those without an agent, by reading their handle tables often; those with one, rarely (to
// name handles that live long, and to find those of unknown origin even if the process is killed later).
#pragma once

#include "capture/loss_counter.h"
#include "capture/process_book.h"
#include "capture/request_server.h"

namespace culprit {

class OutsideWatch {
 public:
  OutsideWatch(ProcessBook& book, RequestServer& requests, LossCounter& losses, TraceTables& tables)
      : book_(book), requests_(requests), losses_(losses), tables_(tables) {}

  // Takes the snapshots that are due, and finds images in which no agent started. True: a process is being watched this
  // way.
  bool round(Time now);

  // From now on the process is watched from outside.
  void watch(WatchedProcess& process, const std::string& why);
  // At the end of a process that announced an exec and was not heard of again.
  void note_unfollowed_exec(WatchedProcess& process);

 private:
  void look_for_lost_image(WatchedProcess& process, Time now);
  void look_for_children(const WatchedProcess& process);
  std::string why_not_followed(const WatchedProcess& process) const;

  ProcessBook& book_;
  RequestServer& requests_;
  LossCounter& losses_;
  TraceTables& tables_;
  Time next_ = 0;
};

}  // namespace culprit
