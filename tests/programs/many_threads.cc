// Fifteen hundred threads live at once, each with a block that it keeps: more than a collector has seen when the first
// of them end.
#include <limits.h>
#include <pthread.h>

#include <cstdlib>

namespace {
constexpr unsigned count = 1500;
pthread_barrier_t all_are_there;
pthread_t threads[count];
}  // namespace

extern "C" [[gnu::noinline]] void* kept_by_thread() {
  static thread_local void* volatile kept;
  kept = malloc(100);
  return kept;
}

namespace {
void* body(void*) {
  void* block = kept_by_thread();
  pthread_barrier_wait(&all_are_there);
  return block;
}
}  // namespace

int main() {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, PTHREAD_STACK_MIN);
  pthread_barrier_init(&all_are_there, nullptr, count + 1);
  for (pthread_t& thread : threads)
    if (pthread_create(&thread, &attributes, body, nullptr) != 0) abort();
  pthread_barrier_wait(&all_are_there);
  for (pthread_t thread : threads) pthread_join(thread, nullptr);
}
