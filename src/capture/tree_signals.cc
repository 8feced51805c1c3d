#include "capture/tree_signals.h"

#include <atomic>

namespace culprit {
namespace {

// Signal handlers have nothing else to reach.
std::atomic<pid_t> program{0};
std::atomic<bool> ended{false};
std::atomic<bool> stop{false};
std::atomic<uint32_t*> bell{nullptr};

void on_signal(int number, siginfo_t* info, void*) {
  if (uint32_t* word = bell.load()) __atomic_fetch_add(word, 1, __ATOMIC_SEQ_CST);
  if (number == SIGCHLD) return;
  if (ended) {
    if (number == SIGINT || number == SIGTERM) stop = true;
    return;
  }
  bool from_terminal = (number == SIGINT || number == SIGQUIT) && info->si_code == SI_KERNEL;
  pid_t pid = program;
  bool from_program = info->si_code <= 0 && info->si_pid == pid;  // a group signal of its own: it has it already
  if (pid > 0 && !from_terminal && !from_program) kill(pid, number);
}

}  // namespace

TreeSignals::TreeSignals(uint32_t& doorbell) {
  program = 0;
  ended = stop = false;
  bell = &doorbell;
  sigprocmask(SIG_SETMASK, nullptr, &original_mask_);
  for (size_t i = 0; i < handled.size(); i++) {
    sigaction(handled[i], nullptr, &original_[i]);
    bool is_ignored = !(original_[i].sa_flags & SA_SIGINFO) && original_[i].sa_handler == SIG_IGN;
    if (is_ignored && handled[i] != SIGCHLD) continue;  // with SIGCHLD ignored, statuses would be lost
    struct sigaction ours {};
    ours.sa_sigaction = on_signal;
    ours.sa_flags = SA_SIGINFO | SA_NOCLDSTOP;
    sigfillset(&ours.sa_mask);
    sigaction(handled[i], &ours, nullptr);
  }
}

void TreeSignals::restore() const {
  for (size_t i = 0; i < handled.size(); i++) sigaction(handled[i], &original_[i], nullptr);
}

TreeSignals::~TreeSignals() {
  restore();
  bell = nullptr;
  sigprocmask(SIG_SETMASK, &original_mask_, nullptr);
}

void TreeSignals::hold() {
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, nullptr);
}

void TreeSignals::program_started(pid_t pid) {
  program = pid;
  sigset_t mask = original_mask_;
  for (int number : handled) sigdelset(&mask, number);
  sigprocmask(SIG_SETMASK, &mask, nullptr);
}

void TreeSignals::program_ended() {
  program = 0;
  ended = true;
}

bool TreeSignals::stop_requested() const { return stop; }

void TreeSignals::restore_in_child() const {
  restore();
  sigprocmask(SIG_SETMASK, &original_mask_, nullptr);
}

}  // namespace culprit
