// What a siginfo_t tells of the end of a process.
#pragma once

#include "format/core_notes.h"
#include "target/target.h"

namespace culprit {

inline void tell_signal(TargetInfo& info, const CoreSignal& signal) {
  info.signal_code = signal.code;
  info.fault_address = signal.fault_address.value_or(0);
  info.refused_call = signal.system_call;
  if (!signal.sender) return;
  info.sender_pid = signal.sender->pid;
  info.sender_uid = signal.sender->uid;
}

}  // namespace culprit
