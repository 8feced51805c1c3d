// Opens on stacks that are not the thread's: makecontext coroutines, which call each other in turn, and C++20
// coroutines.
#include <sys/eventfd.h>
#include <ucontext.h>

#include <array>
#include <coroutine>
#include <cstdio>
#include <cstdlib>
#include <vector>

namespace {

constexpr int fibers = 3, rounds = 10;
ucontext_t main_context;
std::array<ucontext_t, fibers> contexts;

}  // namespace

[[gnu::noinline]] int leak_on_fiber(int which) {
  int event = eventfd(static_cast<unsigned>(which), EFD_CLOEXEC);
  if (event < 0) std::abort();
  return event;
}

[[gnu::noinline]] int leak_in_coroutine() {
  int event = eventfd(0, EFD_CLOEXEC);
  if (event < 0) std::abort();
  return event;
}

namespace {

void fiber_body(int which) {
  for (int round = 0; round < rounds; round++) {
    leak_on_fiber(which);
    auto next = static_cast<size_t>((which + 1) % fibers);
    swapcontext(&contexts[static_cast<size_t>(which)], &contexts[next]);
  }
}

struct Task {
  struct promise_type {
    Task get_return_object() { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
    std::suspend_always initial_suspend() { return {}; }
    std::suspend_always final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() { std::abort(); }
  };
  std::coroutine_handle<promise_type> handle;
};

Task coroutine() {
  for (int round = 0; round < rounds; round++) {
    leak_in_coroutine();
    co_await std::suspend_always{};
  }
}

}  // namespace

int main() {
  static std::array<std::vector<char>, fibers> stacks;
  for (int i = 0; i < fibers; i++) {
    auto at = static_cast<size_t>(i);
    stacks[at].resize(1 << 16);
    getcontext(&contexts[at]);
    contexts[at].uc_stack.ss_sp = stacks[at].data();
    contexts[at].uc_stack.ss_size = stacks[at].size();
    contexts[at].uc_link = &main_context;
    makecontext(&contexts[at], reinterpret_cast<void (*)()>(fiber_body), 1, i);
  }
  swapcontext(&main_context, &contexts[0]);  // comes back when the first fiber has ended
  Task task = coroutine();
  while (!task.handle.done()) task.handle.resume();
  task.handle.destroy();
  std::puts("switched");
  return 0;
}
