// Makes threads on one processor, and writes on the stack where it made them before they come to run: also over what
// the kernel was given to make them.
#include <pthread.h>
#include <sched.h>
#include <sys/eventfd.h>

#include <cstdint>
#include <cstdlib>

namespace {

// As flags of clone3: CLONE_VM | CLONE_FILES | CLONE_VFORK.
constexpr uint64_t looks_like_vfork = 0x4500;

[[gnu::noinline]] void use_stack_again() {
  volatile uint64_t words[2048];
  for (volatile uint64_t& word : words) word = looks_like_vfork;
}

}  // namespace

extern "C" {
[[gnu::noinline]] void* leak_of_thread(void*) {
  if (eventfd(0, 0) < 0) abort();
  return nullptr;
}
[[gnu::noinline]] pthread_t make_thread() {
  pthread_t thread;
  if (pthread_create(&thread, nullptr, leak_of_thread, nullptr) != 0) abort();
  return thread;
}
}

int main() {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(static_cast<unsigned>(sched_getcpu()), &one);
  sched_setaffinity(0, sizeof one, &one);
  for (int i = 0; i < 100; ++i) {
    const pthread_t thread = make_thread();
    use_stack_again();
    pthread_join(thread, nullptr);
  }
}
