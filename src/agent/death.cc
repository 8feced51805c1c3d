#include "agent/death.h"

#include "agent/memory.h"
#include "agent/raw_syscall.h"
#include "agent/signal_stack.h"

extern "C" __attribute__((visibility("hidden"))) void culprit_return_from_signal();

namespace culprit::agent {

namespace {

// The kernel's struct sigaction (asm/signal.h), and the part of its struct ucontext that is looked at.
struct Action {
  uint64_t handler, flags, restorer, mask;
};
struct Context {
  uint64_t flags, link, stack[3];
  uint64_t registers[18];
};
constexpr uint64_t default_handler = 0, mask_size = sizeof(uint64_t);
constexpr uint64_t with_info = 4, on_signal_stack = 0x08000000, restarts = 0x10000000, has_restorer = 0x04000000;

// QUIT ILL TRAP ABRT BUS FPE SEGV XCPU XFSZ SYS: man 7 signal, "Core".
constexpr uint8_t core_signals[] = {3, 4, 5, 6, 7, 8, 11, 24, 25, 31};
constexpr uint32_t signal_limit = 32;

bool watching;
Action wanted[signal_limit];  // what the program set in place of what stands there

bool makes_core(uint64_t signal) {
  for (uint8_t each : core_signals)
    if (each == signal) return true;
  return false;
}

void on_death(int32_t signal, const uint8_t* info, const Context* context);

uint64_t own_handler() { return reinterpret_cast<uint64_t>(&on_death); }

int64_t set_action(uint32_t signal, const Action* action, Action* old) {
  return raw_syscall(__NR_rt_sigaction, signal, address_of(action), address_of(old), mask_size);
}

// In place of the default, and of nothing else.
void take_over(uint32_t signal) {
  Action now{};
  if (set_action(signal, nullptr, &now) < 0 || now.handler != default_handler) return;
  wanted[signal] = now;
  // No other handler of the program's runs any more; its alternate stack is used if it has one. A call that waits is
  // begun again: so its registers tell which one it is.
  Action ours{own_handler(), with_info | on_signal_stack | restarts | has_restorer,
              reinterpret_cast<uint64_t>(&culprit_return_from_signal), ~uint64_t{0}};
  set_action(signal, &ours, nullptr);
}

void put_back(uint32_t signal) {
  Action now{};
  if (set_action(signal, nullptr, &now) >= 0 && now.handler == own_handler())
    set_action(signal, &wanted[signal], nullptr);
}

// The collector lives, and has not looked yet.
void wait_for_look(culprit_death& death) {
  uint64_t begin = monotonic_ns(), last_sign = begin, heartbeat = 0;
  for (uint64_t now = begin; now - begin < CULPRIT_DEATH_WAIT_NS && now - last_sign < CULPRIT_DEATH_SILENCE_NS;
       now = monotonic_ns()) {
    uint32_t state = __atomic_load_n(&death.state, __ATOMIC_ACQUIRE);
    if (state == CULPRIT_DEATH_SEEN || !recording()) return;
    uint64_t beat = __atomic_load_n(&process.session->heartbeat, __ATOMIC_RELAXED);
    if (beat != heartbeat) last_sign = now;
    heartbeat = beat;
    futex_wait(&death.state, state, 100'000'000);
  }
}

// One thread tells; whoever dies at the same time waits with it.
void tell_of_death(const uint8_t* info, const Context* context) {
  if (!recording() || process.restricted || process.record == nullptr) return;
  if (is_fork_child()) become_fork_child(thread.fork_tsc);
  // A vfork child runs on its parent's memory, and it is not the parent who dies: that one waits meanwhile.
  auto pid = static_cast<uint32_t>(raw_syscall(__NR_getpid));
  bool is_vfork_child = pid != process.pid && pid == thread.vfork_child;
  if ((pid != process.pid && !is_vfork_child) || process.record == nullptr) return;
  culprit_death& death = process.record->death;
  uint32_t expected = CULPRIT_DEATH_NONE;
  if (__atomic_compare_exchange_n(&death.state, &expected, CULPRIT_DEATH_CLAIMED, false, __ATOMIC_ACQ_REL,
                                  __ATOMIC_ACQUIRE)) {
    death.tid = static_cast<uint32_t>(raw_syscall(__NR_gettid));
    memcpy(death.registers, context->registers, sizeof death.registers);
    memcpy(death.info, info, sizeof death.info);
    __atomic_store_n(&death.state, CULPRIT_DEATH_TOLD, __ATOMIC_RELEASE);
    ring_doorbell();
  }
  wait_for_look(death);
  if (is_vfork_child) __atomic_store_n(&death.state, CULPRIT_DEATH_NONE, __ATOMIC_RELEASE);
}

void on_death(int32_t signal, const uint8_t* info, const Context* context) {
  tell_of_death(info, context);
  auto number = static_cast<uint32_t>(signal);
  Action usual = wanted[number % signal_limit];
  usual.handler = default_handler;
  set_action(number, &usual, nullptr);
  auto pid = static_cast<uint64_t>(raw_syscall(__NR_getpid)), tid = static_cast<uint64_t>(raw_syscall(__NR_gettid));
  raw_syscall(__NR_rt_tgsigqueueinfo, pid, tid, number, address_of(info));
}

}  // namespace

void watch_for_death() {
  // The first process of a pid namespace does not die of what has its default action.
  bool is_wanted = (process.session->flags & CULPRIT_SESSION_DEATHS) != 0;
  watching = is_wanted && !process.restricted && process.pid != 1;
  if (!watching) return;
  for (uint8_t signal : core_signals) take_over(signal);
  begin_signal_stacks();
}

void stop_watching_for_death() {
  if (!watching) return;
  for (uint8_t signal : core_signals) put_back(signal);
  end_signal_stacks();
  watching = false;
}

namespace {

// A handler of the program's. Signals 32 and 33 are libc's own, whose handlers run on any stack.
bool asks_for_signal_stack(uint64_t signal, const Action& wish) {
  constexpr uint64_t ignored = 1, first_of_libc = 32, last_of_libc = 33;
  if (first_of_libc <= signal && signal <= last_of_libc) return false;
  return wish.handler > ignored && (wish.flags & on_signal_stack) != 0;
}

}  // namespace

void after_sigaction(const Registers& registers, uint32_t) {
  if (!watching) return;
  auto* wish = reinterpret_cast<const Action*>(registers.rsi);
  if (wish != nullptr && asks_for_signal_stack(registers.rdi, *wish)) end_signal_stacks();
  if (!makes_core(registers.rdi)) return;
  auto signal = static_cast<uint32_t>(registers.rdi);
  auto* old = reinterpret_cast<Action*>(registers.rdx);
  if (old != nullptr && old->handler == own_handler()) *old = wanted[signal];
  if (wish != nullptr) take_over(signal);
}

}  // namespace culprit::agent
