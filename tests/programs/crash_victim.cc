// Dies in the way its argument names; without one, lists the ways. The line that a page about it should name has the
// comment "dies: WAY", or "dies: WAY, ANOTHER".
//   crash_victim WAY
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cassert>
#include <climits>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#define NOT_INLINED __attribute__((noinline, noclone))

namespace {

// What the compiler cannot see through.
template <typename Value>
Value hidden(Value value) {
  asm volatile("" : "+r"(value) : : "memory");
  return value;
}

void finish() { asm volatile(""); }  // after a call: keeps it from becoming a jump

}  // namespace

// Others may derive from what is not hidden in this file, so that calls stay virtual.
struct Shape {
  virtual ~Shape() = default;
  virtual int sides() const { return 4; }
};
struct Base {
  NOT_INLINED Base() { call(); }
  virtual ~Base() = default;
  virtual void pure() = 0;
  NOT_INLINED void call() {
    hidden(this)->pure();  // dies: pure_virtual
    finish();
  }
};
struct Derived : Base {
  void pure() override {}
};

namespace {

struct Position {
  long x = 0, y = 0;
};
struct Cart {
  char name[16] = {};
  int items = 0;
  long total = 0;  // at 24
  Position position;
};

class Checkout {
 public:
  NOT_INLINED void add(Cart* cart, long price) {
    sum_ += price;
    cart->total = price;  // dies: null_write
    finish();
  }
  NOT_INLINED long where(const Cart* cart) const {
    return cart->position.y + sum_;  // dies: null_read
  }

 private:
  long sum_ = 0;
};
Checkout checkout;

NOT_INLINED void null_write() { checkout.add(hidden<Cart*>(nullptr), 5); }
NOT_INLINED void null_read() { printf("%ld\n", checkout.where(hidden<Cart*>(nullptr))); }

NOT_INLINED void null_call() {
  auto callback = hidden<void (*)()>(nullptr);
  callback();  // dies: null_call
  finish();
}

NOT_INLINED void null_virtual() {
  const Shape* shape = hidden<const Shape*>(nullptr);
  printf("%d\n", shape->sides());  // dies: null_virtual
}

NOT_INLINED void null_in_library() {
  const char* text = hidden<const char*>(nullptr);
  printf("%zu\n", strlen(text));  // dies: null_in_library
}

NOT_INLINED void wild_read() {
  auto* number = hidden(reinterpret_cast<int*>(0x12345678000));
  printf("%d\n", *number);  // dies: wild_read
}
NOT_INLINED void wild_write() {
  auto* number = hidden(reinterpret_cast<int*>(0x12345678000));
  *number = 7;  // dies: wild_write
  finish();
}
NOT_INLINED void non_canonical() {
  auto* number = hidden(reinterpret_cast<long*>(0x4141414141414141));
  printf("%ld\n", *number);  // dies: non_canonical
}

NOT_INLINED void bad_jump() {
  auto callback = hidden(reinterpret_cast<void (*)()>(0x12345678000));
  callback();  // dies: bad_jump
  finish();
}
NOT_INLINED void non_canonical_jump() {
  auto callback = hidden(reinterpret_cast<void (*)()>(0x4142434445464748));
  callback();  // dies: non_canonical_jump
  finish();
}
unsigned char some_data[64] = {0xc3};
NOT_INLINED void data_execution() {
  auto callback = hidden(reinterpret_cast<void (*)()>(some_data));
  callback();  // dies: data_execution
  finish();
}

const char text_that_stays[64] = "constant";
NOT_INLINED void read_only_write() {
  char* text = hidden(const_cast<char*>(text_that_stays));
  text[3] = 'x';  // dies: read_only_write
  finish();
}

volatile long sink;
NOT_INLINED long go_round(long depth);
NOT_INLINED long go_on(long depth) {
  volatile char some[64];
  some[0] = static_cast<char>(depth);
  return go_round(depth + 1) + some[0];
}
NOT_INLINED long go_round(long depth) {
  volatile char some[96];
  some[0] = static_cast<char>(depth);
  return go_on(depth + 1) + some[0];
}
NOT_INLINED void recursion() { sink = go_round(1); }
NOT_INLINED void thread_recursion() { std::thread(recursion).join(); }

NOT_INLINED void huge_frame() {
  volatile char some[64 << 20];
  some[0] = 1;  // dies: huge_frame
  sink = some[0];
}

NOT_INLINED void double_free() {
  char *text = hidden(strdup("twice")), *same = hidden(text);
  free(text);
  free(same);  // dies: double_free
  finish();
}
NOT_INLINED void invalid_free() {
  char* text = hidden(strdup("in the middle of a block"));
  free(hidden(text + 8));  // dies: invalid_free
  finish();
}

NOT_INLINED void heap_overrun() {
  char* name = static_cast<char*>(malloc(hidden(24)));
  char* behind = static_cast<char*>(malloc(hidden(2000)));
  char* last = static_cast<char*>(malloc(hidden(24)));
  memset(hidden(name), 'A', hidden(32));
  sink = hidden(name)[3];
  free(hidden(behind));  // dies: heap_overrun
  sink = last[0];
}
NOT_INLINED void use_after_free() {
  auto* shape = new Shape;
  for (int i = 0; i < 3; ++i) sink = hidden(shape)->sides() + 1;
  Shape* same = hidden(shape);
  operator delete(shape);
  sink = same->sides();  // dies: use_after_free
}

NOT_INLINED void plain_abort() {
  sink = 1;
  abort();  // dies: abort
}
NOT_INLINED void assertion() {
  long size = hidden(3L);
  assert(size == 4 && "sizes differ");  // dies: assert
  sink = size;
}

NOT_INLINED void parse(const std::string& text) {
  if (text.size() < 100) throw std::runtime_error("cannot parse \"" + text + "\"");  // dies: exception
}
NOT_INLINED void exception() {
  parse("ab:cd");
  finish();
}
struct OrderError : std::logic_error {
  using std::logic_error::logic_error;
  long order = 0;
};
NOT_INLINED void derived_exception() {
  throw OrderError("no such order");  // dies: derived_exception
}
struct Plain {
  int code = 5;
};
NOT_INLINED void plain_exception() {
  throw Plain{};  // dies: plain_exception
}
NOT_INLINED void throws() { throw std::out_of_range("index 7"); }
NOT_INLINED void noexcept_exception() noexcept {
  throws();  // dies: noexcept_exception
  finish();
}
NOT_INLINED void quiet() noexcept {
  throws();
  finish();
}
NOT_INLINED void noexcept_inside_try() {
  try {
    quiet();
    finish();
  } catch (const std::exception&) {
  }
}
struct Guard {
  ~Guard() { sink = 1; }
};
NOT_INLINED void throws_past_destructor() {
  Guard guard;
  throws();
  finish();
}
NOT_INLINED void noexcept_unwound() noexcept {
  throws_past_destructor();  // dies: noexcept_unwound
  finish();
}
NOT_INLINED void end_by_own_choice() {
  sink = 2;
  abort();
}
NOT_INLINED void own_terminate() {
  std::set_terminate(end_by_own_choice);
  throw std::runtime_error("too late");  // dies: own_terminate
}
NOT_INLINED void fail_in_terminate() {
  auto* number = hidden(reinterpret_cast<int*>(0x12345678000));
  *number = 7;  // dies: fault_in_terminate
}
NOT_INLINED void fault_in_terminate() {
  std::set_terminate(fail_in_terminate);
  throws();
  finish();
}
NOT_INLINED void terminate() {
  std::terminate();  // dies: terminate
}
NOT_INLINED void joinable() {
  std::thread thread([] { pause(); });
}  // dies: joinable

NOT_INLINED void pure_virtual() { Derived derived; }

NOT_INLINED void stack_smash() {
  char some[16];
  memset(hidden(some), 'A', hidden(64));
  sink = some[3];
}  // dies: stack_smash

NOT_INLINED void fortify() {
  char some[16];
  strcpy(some, hidden("much longer than sixteen bytes"));  // dies: fortify
  sink = some[3];
}

NOT_INLINED void trap() {
  if (hidden(1) == 1) __builtin_trap();  // dies: trap
}
NOT_INLINED void breakpoint() {
  asm volatile("int3");  // dies: breakpoint
  finish();
}
NOT_INLINED void illegal() {
  asm volatile("rsm");  // dies: illegal
  finish();
}
NOT_INLINED void privileged() {
  asm volatile("cli");  // dies: privileged
  finish();
}
NOT_INLINED void no_instruction() {
  asm volatile(".byte 0x06");
  finish();
}
NOT_INLINED void divide_by_zero() {
  long zero = hidden(0L);
  sink = 1000 / zero;  // dies: divide_by_zero
}
NOT_INLINED void divide_overflow() {
  long least = hidden(LONG_MIN), minus_one = hidden(-1L);
  sink = least / minus_one;  // dies: divide_overflow
}

NOT_INLINED void truncated_file() {
  char name[] = "/tmp/crash_victim-XXXXXX";
  int file = mkstemp(name);
  if (file < 0 || ftruncate(file, 3 * 4096) != 0) _exit(9);
  auto* text = static_cast<char*>(mmap(nullptr, 3 * 4096, PROT_READ, MAP_SHARED, file, 0));
  if (ftruncate(file, 100) != 0) _exit(9);
  unlink(name);
  sink = hidden(text)[2 * 4096 + 16];  // dies: truncated_file
}

NOT_INLINED void refused_call() {
  sock_filter rules[] = {{BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(seccomp_data, nr)},
                         {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, SYS_getppid},
                         {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_KILL_PROCESS},
                         {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW}};
  sock_fprog filter{.len = std::size(rules), .filter = rules};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) _exit(9);
  sink = getppid();  // dies: refused_call
}

NOT_INLINED void wait_to_be_killed() {
  printf("ready\n");
  fflush(stdout);
  for (;;) pause();  // dies: killed
}
NOT_INLINED void raised() {
  raise(SIGSEGV);  // dies: raised
  finish();
}

std::mutex first, second;
std::atomic<int> tids[2];
NOT_INLINED void lock_both(std::mutex& one, std::mutex& other, int number, pthread_barrier_t* both) {
  std::lock_guard held(one);
  pthread_barrier_wait(both);
  tids[number] = gettid();
  std::lock_guard wanted(other);  // dies: hang
}
// By the kernel's word.
bool waits_for_a_lock(int tid) {
  std::string path = "/proc/self/task/" + std::to_string(tid) + "/syscall";
  char text[8] = {};
  FILE* file = tid == 0 ? nullptr : fopen(path.c_str(), "r");
  if (file == nullptr) return false;
  size_t size = fread(text, 1, sizeof text - 1, file);
  fclose(file);
  return size > 4 && memcmp(text, "202 ", 4) == 0;
}
NOT_INLINED void hang() {
  pthread_barrier_t both;
  pthread_barrier_init(&both, nullptr, 2);
  std::thread thread([&] { lock_both(first, second, 0, &both); });
  std::thread watchdog([] {
    while (!waits_for_a_lock(tids[0]) || !waits_for_a_lock(tids[1])) usleep(1000);
    kill(getpid(), SIGABRT);
  });
  lock_both(second, first, 1, &both);
  thread.join();
}

struct Steps {
  void (*first)(int);
  void (*last)(int);
};
Steps no_steps;
NOT_INLINED void take_last_step(const Steps* steps) { steps->last(3); }  // optimized, a jump
NOT_INLINED void null_tail_call() {
  volatile char room[64] = {};
  take_last_step(hidden(&no_steps));
  sink = room[3];
}

// Writes the return address of its own frame over. The frame pointer is one wherever it is asked for.
NOT_INLINED void bad_return() {
  auto** frame = static_cast<void**>(__builtin_frame_address(0));
  hidden(frame)[1] = reinterpret_cast<void*>(0x12345678000);
  finish();
}

NOT_INLINED void bad_return_of_text() {
  auto** frame = static_cast<void**>(__builtin_frame_address(0));
  hidden(frame)[1] = reinterpret_cast<void*>(0x4141414141414141);
  finish();
}

char* closed_page() {
  auto* page = static_cast<char*>(mmap(nullptr, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  if (page == MAP_FAILED) _exit(9);
  return page;
}
NOT_INLINED void closed_read() {
  char* page = hidden(closed_page());
  sink = page[16];  // dies: closed_read
}
NOT_INLINED void closed_write() {
  char* page = hidden(closed_page());
  page[16] = 1;  // dies: closed_write
  finish();
}
NOT_INLINED void closed_call() {
  auto callback = hidden(reinterpret_cast<void (*)()>(closed_page()));
  callback();  // dies: closed_call
  finish();
}

alignas(16) char aligned_bytes[64];
NOT_INLINED void misaligned() {
  char* bytes = hidden(aligned_bytes + 8);
  asm volatile("movaps (%0), %%xmm0" : : "r"(bytes) : "xmm0");  // dies: misaligned
  finish();
}
// With the processor's checks of alignment, which every read of less than its size then fails.
NOT_INLINED void alignment_check() {
  char* bytes = hidden(aligned_bytes + 1);
  asm volatile("pushf; orl $0x40000, (%%rsp); popf; movl (%0), %%eax"
               :
               : "r"(bytes)
               : "rax", "cc");  // dies: alignment_check
  finish();
}

NOT_INLINED void give_up() {
  abort();
  finish();
}
void handle_by_abort(int) {
  give_up();
  finish();
}
void handle_by_raising(int number) {
  signal(number, SIG_DFL);
  raise(number);
  finish();
}
void handle_by_fault(int) {
  auto* number = hidden(reinterpret_cast<int*>(0x12345678000));
  *number = 7;  // dies: fault_in_handler
}
NOT_INLINED void fault_in_handler() {
  signal(SIGFPE, handle_by_fault);
  long zero = hidden(0L);
  sink = 1000 / zero;
}
NOT_INLINED void in_handler() {
  signal(SIGSEGV, handle_by_abort);
  auto* number = hidden(reinterpret_cast<int*>(0x1230));
  sink = *number;  // dies: in_handler
}
// The signal is blocked until the handler returns.
NOT_INLINED void raised_again() {
  signal(SIGSEGV, handle_by_raising);
  auto* number = hidden(static_cast<int*>(nullptr));
  *number = 1;  // dies: raised_again
}
NOT_INLINED void truncated_raised_again() {
  signal(SIGBUS, handle_by_raising);
  truncated_file();
  finish();
}
// Dies in the handler, as Python's faulthandler does.
NOT_INLINED void raised_in_handler() {
  struct sigaction action {};
  action.sa_handler = handle_by_raising;
  action.sa_flags = SA_NODEFER;
  sigaction(SIGFPE, &action, nullptr);
  long zero = hidden(0L);
  sink = 1000 / zero;  // dies: raised_in_handler
}
// Where nothing makes a fault, and no system call is.
volatile bool is_spinning = false;
NOT_INLINED void raised_elsewhere() {
  std::thread other([spinning = pthread_self()] {
    while (!is_spinning) sched_yield();
    pthread_kill(spinning, SIGSEGV);
  });
  asm volatile("movb $1, %0; 1: pause; jmp 1b" : "=m"(is_spinning));  // dies: raised_elsewhere
  other.join();
}

struct Way {
  const char* name;
  void (*go)();
};
constexpr Way ways[] = {
    {"null_read", null_read},
    {"null_write", null_write},
    {"null_call", null_call},
    {"null_virtual", null_virtual},
    {"null_in_library", null_in_library},
    {"wild_read", wild_read},
    {"wild_write", wild_write},
    {"non_canonical", non_canonical},
    {"bad_jump", bad_jump},
    {"non_canonical_jump", non_canonical_jump},
    {"data_execution", data_execution},
    {"read_only_write", read_only_write},
    {"recursion", recursion},
    {"thread_recursion", thread_recursion},
    {"huge_frame", huge_frame},
    {"double_free", double_free},
    {"invalid_free", invalid_free},
    {"heap_overrun", heap_overrun},
    {"use_after_free", use_after_free},
    {"abort", plain_abort},
    {"assert", assertion},
    {"exception", exception},
    {"derived_exception", derived_exception},
    {"plain_exception", plain_exception},
    {"noexcept_exception", noexcept_exception},
    {"noexcept_inside_try", noexcept_inside_try},
    {"noexcept_unwound", noexcept_unwound},
    {"own_terminate", own_terminate},
    {"fault_in_terminate", fault_in_terminate},
    {"terminate", terminate},
    {"joinable", joinable},
    {"pure_virtual", pure_virtual},
    {"stack_smash", stack_smash},
    {"fortify", fortify},
    {"trap", trap},
    {"breakpoint", breakpoint},
    {"illegal", illegal},
    {"privileged", privileged},
    {"no_instruction", no_instruction},
    {"divide_by_zero", divide_by_zero},
    {"divide_overflow", divide_overflow},
    {"truncated_file", truncated_file},
    {"refused_call", refused_call},
    {"killed", wait_to_be_killed},
    {"raised", raised},
    {"hang", hang},
    {"in_handler", in_handler},
    {"fault_in_handler", fault_in_handler},
    {"raised_again", raised_again},
    {"truncated_raised_again", truncated_raised_again},
    {"raised_in_handler", raised_in_handler},
    {"raised_elsewhere", raised_elsewhere},
    {"bad_return", bad_return},
    {"bad_return_of_text", bad_return_of_text},
    {"null_tail_call", null_tail_call},
    {"closed_read", closed_read},
    {"closed_write", closed_write},
    {"closed_call", closed_call},
    {"misaligned", misaligned},
    {"alignment_check", alignment_check},
};

}  // namespace

int main(int argc, char** argv) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
  for (const Way& way : ways) {
    if (argc < 2) puts(way.name);
    if (argc > 1 && strcmp(argv[1], way.name) == 0) way.go();
  }
  return argc > 1 ? 8 : 0;
}
