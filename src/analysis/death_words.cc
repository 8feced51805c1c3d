#include "analysis/death_words.h"

#include <fmt/format.h>

#include <csignal>

#include "model/signals.h"

namespace culprit {

bool has_fault_address(const TargetInfo& info) {
  bool is_fault = info.signal == SIGSEGV || info.signal == SIGBUS || info.signal == SIGILL || info.signal == SIGFPE ||
                  info.signal == SIGTRAP;
  return is_fault && info.signal_code > 0 && info.signal_code != SI_KERNEL;
}

std::string death_words(const TargetInfo& info) {
  if (info.signal == 0) return {};
  std::string words = "ended by " + signal_name(info.signal);
  if (has_fault_address(info)) words += fmt::format(" at address {:#x}", info.fault_address);
  bool is_own = info.sender_pid == info.pid;
  if (info.sender_pid != 0 && !is_own)
    words += fmt::format(" from process {} (user {})", info.sender_pid, info.sender_uid);
  return words + fmt::format(" in thread {}", info.signal_tid);
}

}  // namespace culprit
