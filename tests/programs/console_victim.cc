// To be looked at from the console: threads with names that wait in known functions, variables with known contents.
// Says that it is ready by making the file that its argument names.
#include <fcntl.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <unistd.h>

extern "C" {
unsigned g_limit = 0x1234;
char g_greeting[] = "greetings from the victim";
const char* g_greeting_pointer = g_greeting;
}

namespace store {

struct Shelf {
  __attribute__((noinline)) void wait_for_delivery(int gate) {
    char byte;
    while (read(gate, &byte, 1) < 0) continue;
    asm volatile("" ::: "memory");
  }
};

__attribute__((noinline)) void open_shop(int gate) {
  Shelf().wait_for_delivery(gate);  // where it waits
  asm volatile("" ::: "memory");
}

}  // namespace store

static int gate[2];
static pthread_barrier_t begun;

static void* keeper(void* name) {
  prctl(PR_SET_NAME, name);
  pthread_barrier_wait(&begun);
  store::open_shop(gate[0]);
  return nullptr;
}

int main(int count, char** arguments) {
  if (count < 2 || pipe(gate) != 0) return 1;
  constexpr unsigned keepers = 3;
  pthread_barrier_init(&begun, nullptr, keepers + 1);
  const char* names[keepers] = {"keeper-a", "keeper-b", "keeper-c"};
  pthread_t threads[keepers];
  for (unsigned i = 0; i < keepers; ++i) pthread_create(&threads[i], nullptr, keeper, const_cast<char*>(names[i]));
  pthread_barrier_wait(&begun);
  // All threads are blocked soon; the tests ask again until they are.
  close(open(arguments[1], O_CREAT | O_WRONLY, 0600));
  for (pthread_t thread : threads) pthread_join(thread, nullptr);
  return 0;
}
