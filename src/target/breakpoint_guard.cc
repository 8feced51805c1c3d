#include "target/breakpoint_guard.h"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>

#include <memory>

#include "base/syscall.h"

namespace culprit {
namespace {

constexpr std::byte int3{0xcc};

}  // namespace

Result<std::unique_ptr<BreakpointGuard>> BreakpointGuard::stand(uint32_t engine, VictimMemory memory) {
  auto process = checked("watch the engine", [&] { return syscall(SYS_pidfd_open, engine, 0); });
  if (!process) return tl::unexpected<Error>(std::move(process).error());
  Fd watched(static_cast<int>(*process));
  auto event = checked("make an eventfd", [] { return eventfd(0, EFD_CLOEXEC); });
  if (!event) return tl::unexpected<Error>(std::move(event).error());
  std::unique_ptr<BreakpointGuard> guard(new BreakpointGuard(std::move(watched), Fd(*event), std::move(memory)));
  // Signals are for the console's own thread.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  guard->thread_ = std::thread([&guarded = *guard] { guarded.watch(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return guard;
}

BreakpointGuard::~BreakpointGuard() {
  uint64_t one = 1;
  if (write(end_.get(), &one, sizeof one) == sizeof one && thread_.joinable()) thread_.join();
}

void BreakpointGuard::watch() {
  pollfd waited[] = {{engine_.get(), POLLIN, 0}, {end_.get(), POLLIN, 0}};
  while (poll(waited, 2, -1) < 0) continue;
  if (waited[0].revents != 0) put_back();
}

void BreakpointGuard::put_back() {
  std::lock_guard lock(mutex_);
  for (auto [address, original] : originals_) {
    std::byte now{};
    if (memory_.read_value(address, now) && now == int3) memory_.write_value(address, original);
  }
  has_acted_ = true;
}

bool BreakpointGuard::note(uint64_t address) {
  std::lock_guard lock(mutex_);
  std::byte original{};
  if (!memory_.read_value(address, original)) return false;
  if (original != int3) originals_[address] = original;
  return true;
}

void BreakpointGuard::forget_all(VictimMemory memory) {
  std::lock_guard lock(mutex_);
  originals_.clear();
  memory_ = std::move(memory);
}

bool BreakpointGuard::has_acted() {
  std::lock_guard lock(mutex_);
  return has_acted_;
}

}  // namespace culprit
