// Makes one event in each situation that is hard to unwind. The initial value of the event is 1000 + the number of the
// case, so that a debugger which stops at the system call knows where it is. In the case that CULPRIT_STAND_AT names it
// stands still for good. Prints "case NAME INITIAL_VALUE HANDLE".
#include <alloca.h>
#include <errno.h>
#include <immintrin.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <stdexcept>
#include <vector>

extern "C" int plt_call_back(int (*function)(int), int argument);

namespace {

// In the order they happen; the last after main.
enum Case : int {
  static_init,
  by_raise,
  fault_in_function,
  alternate_stack,
  qsort_callback,
  variable_array,
  big_alloca,
  overaligned_avx,
  thread_start,
  in_catch,
  in_destructor_during_unwinding,
  plt_called,
  sort_and_function,
  once,
  signal_in_signal,
  vdso_fallback,
  at_exit,
  case_count,
};
constexpr const char* case_names[case_count] = {
    "static_init",
    "by_raise",
    "fault_in_function",
    "alternate_stack",
    "qsort_callback",
    "variable_array",
    "big_alloca",
    "overaligned_avx",
    "thread_start",
    "in_catch",
    "in_destructor_during_unwinding",
    "plt_called",
    "sort_and_function",
    "once",
    "signal_in_signal",
    "vdso_fallback",
    "at_exit",
};

int handles[case_count];
volatile int current = 0;
volatile int needed = 0;  // results go here, or the compiler makes tail calls

__attribute__((noinline)) int make_event(int which) {
  int event = eventfd(1000 + static_cast<unsigned>(which), 0);
  handles[which] = event;
  const char* stand_at = getenv("CULPRIT_STAND_AT");
  while (stand_at != nullptr && strcmp(stand_at, case_names[which]) == 0) pause();
  std::printf("case %s %d %d\n", case_names[which], 1000 + which, event);
  return event;
}

struct MadeBeforeMain {
  __attribute__((noinline)) MadeBeforeMain() { made = make_event(static_init); }
  int made;
} before_main;

void handler(int) { make_event(current); }

void install(int signal, void (*function)(int), int flags = 0) {
  struct sigaction action {};
  action.sa_handler = function;
  action.sa_flags = flags;
  sigaction(signal, &action, nullptr);
}

__attribute__((noinline)) void case_by_raise() {
  current = by_raise;
  install(SIGUSR1, handler);
  raise(SIGUSR1);
}

char* guarded_page;
void open_page(int) {
  make_event(fault_in_function);
  mprotect(guarded_page, 4096, PROT_READ | PROT_WRITE);
}

// The fault hits between pushes and pops: only exact unwind rows know where the return address is.
__attribute__((noinline)) int fault_in_the_middle(int a, int b, int c) {
  int sum = 0;
  for (int i = 0; i < a; i++) sum += b * i + guarded_page[i * 8] + plt_call_back([](int x) { return x; }, c + i);
  return sum;
}

__attribute__((noinline)) void case_fault_in_function() {
  guarded_page = static_cast<char*>(mmap(nullptr, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  install(SIGSEGV, open_page);
  if (fault_in_the_middle(5, 6, 7) == 0) std::abort();
  install(SIGSEGV, SIG_DFL);
}

__attribute__((noinline)) void case_alternate_stack() {
  current = alternate_stack;
  static char space[1 << 16];
  stack_t other{};
  other.ss_sp = space;
  other.ss_size = sizeof space;
  sigaltstack(&other, nullptr);
  install(SIGUSR2, handler, SA_ONSTACK);
  raise(SIGUSR2);
  other.ss_flags = SS_DISABLE;
  sigaltstack(&other, nullptr);
}

// glibc's qsort recurses; with 16 elements the first comparison is four calls deep.
int compare_and_make(const void* a, const void* b) {
  if (handles[qsort_callback] == 0) make_event(qsort_callback);
  return *static_cast<const int*>(a) - *static_cast<const int*>(b);
}

__attribute__((noinline)) void case_qsort_callback() {
  int numbers[16];
  for (int i = 0; i < 16; i++) numbers[i] = (i * 7) % 16;
  qsort(numbers, 16, sizeof numbers[0], compare_and_make);
}

__attribute__((noinline)) int case_variable_array(int size) {
  char* space = static_cast<char*>(alloca(static_cast<size_t>(size)));
  memset(space, 1, static_cast<size_t>(size));
  int event = make_event(variable_array);
  return event + space[size / 2];
}

__attribute__((noinline)) int case_big_alloca() {
  volatile char space[300000];
  space[0] = 1;
  space[299999] = 1;
  return make_event(big_alloca) + space[0];
}

__attribute__((noinline)) float case_overaligned_avx(int size) {
  alignas(64) float numbers[64];
  auto* more =
      static_cast<char*>(alloca(static_cast<size_t>(size)));  // needs RBP-relative and realigned at once (DRAP)
  more[size - 1] = 2;
  _mm256_store_ps(numbers + (size & 8), _mm256_set1_ps(static_cast<float>(size)));
  asm volatile("" : : "r"(numbers), "r"(more) : "memory");  // the arrays are looked at: they must exist, aligned
  make_event(overaligned_avx);
  return numbers[size & 7] + static_cast<float>(more[size - 1]);
}

void* thread_body(void*) {
  make_event(thread_start);
  return nullptr;
}

__attribute__((noinline)) void case_thread_start() {
  pthread_t thread;
  if (pthread_create(&thread, nullptr, thread_body, nullptr) == 0) pthread_join(thread, nullptr);
}

__attribute__((noinline)) int throws(int a) {
  if (a > 0) throw std::runtime_error("meant");
  return a;
}

__attribute__((noinline)) int case_in_catch() {
  try {
    return throws(1);
  } catch (const std::exception& error) {
    return make_event(in_catch) + static_cast<int>(strlen(error.what()));
  }
}

struct MakesInDestructor {
  __attribute__((noinline)) ~MakesInDestructor() { made = make_event(in_destructor_during_unwinding); }
  volatile int made = 0;
};

__attribute__((noinline)) int unwound() {
  MakesInDestructor object;
  return throws(2) + object.made;
}

__attribute__((noinline)) int case_in_destructor_during_unwinding() {
  try {
    return unwound();
  } catch (const std::exception&) {
    return 1;
  }
}

__attribute__((noinline)) int case_plt_called() {
  return plt_call_back([](int which) { return make_event(which) + 1; }, plt_called);
}

__attribute__((noinline)) void case_sort_and_function() {
  std::vector<int> numbers(64);
  for (int i = 0; i < 64; i++) numbers[static_cast<size_t>(i)] = (i * 37) % 64;
  std::function<bool(int, int)> less = [](int a, int b) {
    if (handles[sort_and_function] == 0) make_event(sort_and_function);
    return a < b;
  };
  std::sort(numbers.begin(), numbers.end(), less);
}

__attribute__((noinline)) void case_once() {
  static pthread_once_t control = PTHREAD_ONCE_INIT;
  pthread_once(&control, [] { make_event(once); });
}

// The vdso cannot tell CPU times and falls into the kernel. A filter turns just that call into SIGSYS, so that the
// handler runs with the vdso's own frame below it.
__attribute__((noinline)) int case_vdso_fallback() {
  current = vdso_fallback;
  install(SIGSYS, handler);
  sock_filter filter[] = {
      {BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(seccomp_data, nr)},
      {BPF_JMP | BPF_JEQ | BPF_K, 0, 3, SYS_clock_gettime},
      {BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(seccomp_data, args)},
      {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, CLOCK_PROCESS_CPUTIME_ID},
      {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_TRAP},
      {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW},
  };
  sock_fprog program{6, filter};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) return -1;
  timespec time;
  return clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time) + 1;
}

__attribute__((noinline)) void case_signal_in_signal() {
  current = signal_in_signal;
  install(SIGUSR2, handler);
  install(SIGUSR1, [](int) { raise(SIGUSR2); });
  raise(SIGUSR1);
}

void last() { make_event(at_exit); }

}  // namespace

int main(int argc, char**) {
  atexit(last);
  case_by_raise();
  case_fault_in_function();
  case_alternate_stack();
  case_qsort_callback();
  needed = case_variable_array(1000 * argc);
  needed = case_big_alloca();
  needed = static_cast<int>(case_overaligned_avx(100 * argc));
  case_thread_start();
  needed = case_in_catch();
  needed = case_in_destructor_during_unwinding();
  needed = case_plt_called();
  case_sort_and_function();
  case_once();
  case_signal_in_signal();
  needed = case_vdso_fallback();
  return 0;
}
