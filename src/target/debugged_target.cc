#include "target/debugged_target.h"

#include <algorithm>

namespace culprit {
namespace {

// A thread that was interrupted in a system call will make it again (the kernel's ERESTART…), and so still waits in it.
std::optional<BlockingCall> call_of(const Registers& registers) {
  constexpr int64_t first = -516, last = -512;
  auto result = static_cast<int64_t>(registers.rax);
  if (static_cast<int64_t>(registers.orig_rax) < 0 || result < first || result > last) return {};
  return BlockingCall{registers.orig_rax,
                      {registers.rdi, registers.rsi, registers.rdx, registers.r10, registers.r8, registers.r9}};
}

}  // namespace

Result<void> DebuggedTarget::attach() {
  if (debuggee() != nullptr) return {};
  auto attached = Debuggee::attach(live_->info().pid);
  if (!attached) return tl::unexpected<Error>(std::move(attached).error());
  debuggee_ = std::move(*attached);
  return {};
}

Result<void> DebuggedTarget::detach() {
  if (!debuggee_) return {};
  auto done = debuggee_->detach();
  debuggee_.reset();
  return done;
}

Result<std::vector<TargetThread>> DebuggedTarget::threads(ThreadWish wish) {
  if (debuggee() == nullptr) return live_->threads(wish);
  auto threads = live_->threads(ThreadWish::names_and_waits);
  auto held = debuggee()->threads();
  if (!threads) return threads;
  if (!held) return tl::unexpected<Error>(std::move(held).error());
  for (TargetThread& thread : *threads) {
    auto found = std::ranges::lower_bound(*held, thread.tid, {}, &DebuggedThread::tid);
    if (found == held->end() || found->tid != thread.tid || found->is_stopped == 0) continue;
    thread.known = RegistersKnown::all;
    thread.registers = found->registers;
    thread.blocked_in = call_of(found->registers);
    thread.signal = found->signal;
    thread.unknown_because.clear();
  }
  return threads;
}

void DebuggedTarget::complete(std::span<TargetThread* const> threads) {
  if (debuggee() == nullptr) live_->complete(threads);
}

// What is debugged stands still as it is.
Result<void> DebuggedTarget::hold_still(const LookAtThreads& look) {
  return debuggee() == nullptr ? live_->hold_still(look) : Target::hold_still(look);
}

MemoryReader& DebuggedTarget::stack_memory(const TargetThread& thread) {
  if (debuggee() == nullptr) return live_->stack_memory(thread);
  return memory_;
}

bool DebuggedTarget::Memory::read(uint64_t address, std::span<std::byte> into) {
  if (Debuggee* debuggee = target_.debuggee()) return debuggee->read_memory(address, into);
  return target_.live_->memory().read(address, into);
}

}  // namespace culprit
