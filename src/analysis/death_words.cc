#include "analysis/death_words.h"

#include <fmt/format.h>

#include <csignal>
#include <cstring>

namespace culprit {

namespace {

// The processor told an address: CoreSignal::fault_address, which may well be 0.
bool has_address(const TargetInfo& info) {
  bool is_fault = info.signal == SIGSEGV || info.signal == SIGBUS || info.signal == SIGILL || info.signal == SIGFPE ||
                  info.signal == SIGTRAP;
  return is_fault && info.signal_code > 0 && info.signal_code != SI_KERNEL;
}

}  // namespace

std::string death_words(const TargetInfo& info) {
  if (info.signal == 0) return {};
  const char* known = ::sigabbrev_np(info.signal);
  std::string words =
      known == nullptr ? fmt::format("ended by signal {}", info.signal) : fmt::format("ended by SIG{}", known);
  if (has_address(info)) words += fmt::format(" at address {:#x}", info.fault_address);
  bool is_own = info.sender_pid == info.pid;
  if (info.sender_pid != 0 && !is_own)
    words += fmt::format(" from process {} (user {})", info.sender_pid, info.sender_uid);
  return words + fmt::format(" in thread {}", info.signal_tid);
}

}  // namespace culprit
