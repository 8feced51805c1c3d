// Counts losses as they happen and hands them on in portions, so that a recorder that dies has told most of them.
#pragma once

#include <map>
#include <string>
#include <tuple>

#include "model/event_sink.h"

namespace culprit {

class LossCounter {
 public:
  void add(LossKind kind, uint64_t count, ProcessId process = ProcessId::none, const std::string& detail = "") {
    if (count > 0) counts_[{kind, process, detail}] += count;
  }
  // What came since the last call. Counts of several Loss of one kind add up.
  void hand_on(EventSink& sink) {
    for (const auto& [key, count] : counts_) {
      sink.on_loss({std::get<LossKind>(key), count, std::get<ProcessId>(key), std::get<std::string>(key)});
    }
    counts_.clear();
  }

 private:
  std::map<std::tuple<LossKind, ProcessId, std::string>, uint64_t> counts_;
};

}  // namespace culprit
