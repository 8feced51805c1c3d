#include "target/dying_process.h"

#include <fmt/core.h>

#include <algorithm>
#include <csignal>
#include <future>
#include <thread>

#include "target/live_linux.h"
#include "target/signal_facts.h"
#include "target/thread_stops.h"

namespace culprit {
namespace {

// A live process, of which nothing moves if it is held.
class DyingProcess final : public Target {
 public:
  DyingProcess(Target& live, std::vector<TargetThread> threads, const Death& death, const CoreSignal& signal,
               bool is_held)
      : live_(live), info_(live.info()), threads_(std::move(threads)) {
    info_.is_held = is_held;
    info_.signal = signal.number;
    info_.signal_tid = death.tid;
    tell_signal(info_, signal);
  }

  const TargetInfo& info() const override { return info_; }
  Result<std::vector<TargetThread>> threads(ThreadWish) override { return threads_; }
  MemoryReader& stack_memory(const TargetThread&) override { return live_.memory(); }
  MemoryReader& memory() override { return live_.memory(); }
  const std::vector<TargetMapping>& mappings() override { return live_.mappings(); }
  const std::vector<TargetModule>& modules() override { return live_.modules(); }
  PresentPages present_pages(AddressRange of) override { return live_.present_pages(of); }
  Time longest_stop() const override { return live_.longest_stop(); }

 private:
  Target& live_;
  TargetInfo info_;
  std::vector<TargetThread> threads_;
};

// Somebody sent the signal while it waited in the kernel: it stands at the instruction that would begin the call again.
void add_broken_off_call(TargetThread& thread, const CoreSignal& signal, MemoryReader& memory) {
  constexpr std::array system_call{std::byte{0x0f}, std::byte{0x05}};
  std::array<std::byte, 2> code{};
  Registers& r = thread.registers;
  bool was_sent = signal.code <= 0 || signal.code == SI_KERNEL;
  if (!was_sent || !memory.read(r.rip, code) || code != system_call) return;
  r.orig_rax = r.rax;
  thread.blocked_in = BlockingCall{r.orig_rax, {r.rdi, r.rsi, r.rdx, r.r10, r.r8, r.r9}};
}

// It waits in a handler, or at its tracer's: what is shown is where the signal found it.
bool put_at_fault(std::vector<TargetThread>& threads, const Death& death, const CoreSignal& signal,
                  MemoryReader& memory) {
  auto thread = std::ranges::find(threads, death.tid, &TargetThread::tid);
  if (thread == threads.end()) return false;
  Registers segments = thread->registers, r = death.registers;
  if (death.registers.cs == 0) {
    r.cs = segments.cs, r.ss = segments.ss, r.ds = segments.ds, r.es = segments.es, r.fs = segments.fs;
    r.gs = segments.gs, r.fs_base = segments.fs_base, r.gs_base = segments.gs_base;
  }
  thread->blocked_in.reset();  // it may be the call of the handler
  set_registers(*thread, r);
  thread->state = 'R';
  thread->signal = signal.number;
  add_broken_off_call(*thread, signal, memory);
  return true;
}

// What a thread was blocked in is told before it is stopped for good: being stopped looks like having run.
void add_waits(std::vector<TargetThread>& threads, const std::vector<TargetThread>& waits) {
  for (TargetThread& thread : threads) {
    auto before = std::ranges::find(waits, thread.tid, &TargetThread::tid);
    if (thread.blocked_in || before == waits.end() || !before->blocked_in) continue;
    uint64_t number = before->blocked_in->number;
    if (thread.registers.rax == number || thread.registers.orig_rax == number) thread.blocked_in = before->blocked_in;
  }
}

// Stopped by who tells of the death. Nothing: not all of them could be.
std::optional<std::vector<TargetThread>> threads_held(Target& live, const Death& death) {
  auto threads = live.threads(ThreadWish::names_and_waits);
  if (!threads) return {};
  for (TargetThread& thread : *threads) {
    auto held = std::ranges::find(*death.others, thread.tid, &HeldThread::tid);
    if (held == death.others->end() && thread.tid != death.tid) return {};
    if (held == death.others->end()) continue;
    set_registers(thread, held->registers);
    thread.state = thread.blocked_in ? 'S' : 'R';  // as if nobody held it
  }
  return std::move(*threads);
}

// Keeps them standing until it is told to let go; the work is done elsewhere, with a usual priority.
class Hold {
 public:
  explicit Hold(Target& live) {
    holder_ = std::thread([this, &live] {
      std::vector<TargetThread> held;
      auto result = live.hold_still([&](std::span<const TargetThread> threads) {
        threads_.set_value(std::vector(threads.begin(), threads.end()));
        done_.get_future().wait();
      });
      if (!result) threads_.set_value(tl::unexpected<Error>(result.error()));
    });
  }
  ~Hold() {
    done_.set_value();
    holder_.join();
  }
  Result<std::vector<TargetThread>> threads() { return threads_.get_future().get(); }

 private:
  std::promise<Result<std::vector<TargetThread>>> threads_;
  std::promise<void> done_;
  std::thread holder_;
};

}  // namespace

Result<void> look_at_dying(const Death& death, const std::function<void(Target&)>& look) {
  auto signal = parse_signal_info(death.info);
  if (!signal || signal->number <= 0) return fail(ErrorKind::corrupt, "what it dies of is not told");
  auto live = open_live_process(death.pid);
  if (!live) return tl::unexpected<Error>(std::move(live).error());
  auto waits = (*live)->threads(ThreadWish::names_and_waits);
  std::optional<Hold> hold;
  auto held = death.others ? threads_held(**live, death) : std::nullopt;
  Result<std::vector<TargetThread>> threads = held ? std::move(*held) : hold.emplace(**live).threads();
  const bool is_held = threads.has_value();
  if (!threads && threads.error().kind == ErrorKind::gone) return tl::unexpected<Error>(std::move(threads).error());
  if (!threads) threads = (*live)->threads(ThreadWish::stacks);
  if (!threads) return tl::unexpected<Error>(std::move(threads).error());
  if (waits) add_waits(*threads, *waits);
  if (!put_at_fault(*threads, death, *signal, (*live)->memory()))
    return fail(ErrorKind::corrupt, fmt::format("process {} has no thread {}", death.pid, death.tid));
  DyingProcess dying(**live, std::move(*threads), death, *signal, is_held);
  look(dying);
  return {};
}

}  // namespace culprit
