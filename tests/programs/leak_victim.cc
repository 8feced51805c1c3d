// Leaks in a known way, or in none, and stands still. leak_victim MODE FILE: "key value" lines go to FILE when it
// stands. The last use of each pointer that must be gone is in a function of its own, and the stack is wiped behind it.
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

struct Order {
  virtual ~Order() = default;
  long number = 0;
  char payload[800] = {};
};
namespace trade {
template <typename Item, typename Key>
struct Book : Order {
  std::map<Key, Item> items;
};
}  // namespace trade
struct Line {
  Line* next = nullptr;
  char text[56] = {};
};

namespace {

// Sizes that nothing else has.
constexpr size_t direct_size = 7777, indirect_size = 5555;

[[gnu::noinline]] char* make(size_t size) {
  char* block = static_cast<char*>(malloc(size));
  memset(block, 0, size);
  asm volatile("" : "+r"(block) : : "memory");
  return block;
}

// Nothing of what ran before is left below, or in registers.
[[gnu::noinline]] void wipe_stack() {
  volatile char bytes[32768];
  for (volatile char& byte : bytes) byte = 0;
  asm volatile("xor %%ebx, %%ebx; xor %%r12d, %%r12d; xor %%r13d, %%r13d; xor %%r14d, %%r14d; xor %%r15d, %%r15d"
               :
               :
               : "rbx", "r12", "r13", "r14", "r15");
}

void announce(const char* path) {
  char partial[4096];
  snprintf(partial, sizeof partial, "%s.partial", path);
  close(open(partial, O_WRONLY | O_CREAT | O_TRUNC, 0644));
  rename(partial, path);
}

[[noreturn, gnu::noinline]] void stand_still(const char* path) {
  wipe_stack();
  announce(path);
  for (;;) pause();
}

void* volatile variable;
thread_local void* volatile thread_variable;

[[gnu::noinline]] void direct() {
  for (int i = 0; i < 10; ++i) make(direct_size);
}
[[gnu::noinline]] void indirect() {
  char* outer = make(direct_size);
  *reinterpret_cast<char**>(outer + 800) = make(indirect_size);
}
[[gnu::noinline]] void ring() {
  char* first = make(direct_size);
  char* second = make(direct_size);
  *reinterpret_cast<char**>(first) = second;
  *reinterpret_cast<char**>(second) = first;
}
[[gnu::noinline]] void objects() {
  for (int i = 0; i < 500; ++i) (new Order)->number = i;
  auto* array = new Order[3];
  asm volatile("" : : "r"(array) : "memory");
  auto* book = new trade::Book<std::unordered_map<std::string, std::vector<std::shared_ptr<Order>>>, std::string>;
  asm volatile("" : : "r"(book) : "memory");
}
[[gnu::noinline]] void lost_list() {
  auto* list = new std::list<std::string>;
  for (int i = 0; i < 20; ++i) list->push_back(std::string(100, 'x'));
}
[[gnu::noinline]] void dead_stack() {
  std::thread([] {
    char* volatile kept = make(direct_size);
    asm volatile("" : : "r"(kept) : "memory");
  }).join();
}
[[gnu::noinline]] void freed_pointer() {
  char* holder = make(3000);
  *reinterpret_cast<char* volatile*>(holder + 1000) = make(direct_size);
  free(holder);
}

// Everything is still pointed to, somehow.
[[noreturn, gnu::noinline]] void only_in_register(const char* path) {
  char* block = make(direct_size);
  // Built before, so that nothing is called meanwhile; pause() is made by hand.
  wipe_stack();
  announce(path);
  asm volatile(
      "mov %0, %%r12\n xor %0, %0\n"
      "1: mov $34, %%eax\n syscall\n jmp 1b\n"
      :
      : "r"(block)
      : "r12", "rax", "rcx", "r11", "memory");
  __builtin_unreachable();
}
// As code does that moves two pointers at a time.
[[noreturn, gnu::noinline]] void only_in_vector_register(const char* path) {
  char* block = make(direct_size);
  wipe_stack();
  announce(path);
  asm volatile(
      "movq %0, %%xmm9\n xor %0, %0\n"
      "1: mov $34, %%eax\n syscall\n jmp 1b\n"
      :
      : "r"(block)
      : "xmm9", "rax", "rcx", "r11", "memory");
  __builtin_unreachable();
}
// Only another thread is left. It leaks, and keeps two other blocks.
[[noreturn, gnu::noinline]] void main_has_ended(const char* path) {
  static const pthread_t main_thread = pthread_self();
  std::thread([path] {
    pthread_join(main_thread, nullptr);
    direct();
    char* volatile local = make(indirect_size);
    thread_variable = make(indirect_size);
    wipe_stack();
    announce(path);
    for (;;) pause();
    asm volatile("" : : "r"(local));
  }).detach();
  pthread_exit(nullptr);
}
[[gnu::noinline]] void in_variable() { variable = make(direct_size); }
[[gnu::noinline]] void in_thread_variable() { thread_variable = make(direct_size); }
[[gnu::noinline]] void interior() { variable = make(direct_size) + 4000; }
[[gnu::noinline]] void tagged() { variable = make(direct_size) + 3; }
[[gnu::noinline]] void array_with_count() { variable = new std::string[40]; }
[[gnu::noinline]] void in_list() {
  static auto* list = new std::list<void*>;
  for (int i = 0; i < 30; ++i) list->push_back(make(direct_size));
}
[[gnu::noinline]] void in_mapping() {
  auto** words =
      static_cast<void**>(mmap(nullptr, 1 << 16, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  words[4000] = make(direct_size);
}
// Set up once, and protected from then on.
[[gnu::noinline]] void keep_in(void** words) {
  *words = make(direct_size);
  const uint64_t page = reinterpret_cast<uint64_t>(words) & ~uint64_t{4095};
  if (mprotect(reinterpret_cast<void*>(page), 4096, PROT_READ) != 0) abort();
}
[[gnu::noinline]] void in_protected_memory() {
  keep_in(static_cast<void**>(mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)));
}
[[gnu::noinline]] void in_protected_file() {
  const int file = open("/etc/passwd", O_RDONLY);
  keep_in(static_cast<void**>(mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0)));
  close(file);
}
[[gnu::noinline]] void in_protected_variable() {
  alignas(4096) static void* page[512] = {nullptr,
                                          const_cast<void**>(&variable)};  // in a file, and not in memory of none
  keep_in(page);
}
[[gnu::noinline]] void behind_large_block() {
  auto** words = reinterpret_cast<void**>(make(size_t{40} << 20));
  words[1000000] = make(direct_size);
  variable = words;
}
[[gnu::noinline]] void in_other_thread() {
  static pthread_barrier_t ready;
  pthread_barrier_init(&ready, nullptr, 2);
  std::thread([] {
    char* volatile local = make(direct_size);
    thread_variable = make(direct_size);
    pthread_barrier_wait(&ready);
    for (;;) pause();
    asm volatile("" : : "r"(local));
  }).detach();
  pthread_barrier_wait(&ready);
}
[[gnu::noinline]] void containers() {
  static std::map<std::string, std::unordered_map<int, std::shared_ptr<Order>>> map;
  for (int i = 0; i < 50; ++i) map[std::to_string(i)][i] = std::make_shared<Order>();
}

const std::map<std::string, void (*)()> modes = {{"direct", direct},
                                                 {"indirect", indirect},
                                                 {"ring", ring},
                                                 {"objects", objects},
                                                 {"lost-list", lost_list},
                                                 {"dead-stack", dead_stack},
                                                 {"freed-pointer", freed_pointer},
                                                 {"in-variable", in_variable},
                                                 {"in-thread-variable", in_thread_variable},
                                                 {"interior", interior},
                                                 {"tagged", tagged},
                                                 {"array-with-count", array_with_count},
                                                 {"in-list", in_list},
                                                 {"in-mapping", in_mapping},
                                                 {"in-protected-memory", in_protected_memory},
                                                 {"in-protected-file", in_protected_file},
                                                 {"in-protected-variable", in_protected_variable},
                                                 {"behind-large-block", behind_large_block},
                                                 {"in-other-thread", in_other_thread},
                                                 {"containers", containers}};

}  // namespace

// Of libsanitizer, where the program was built with it: its verdict on the same leaks.
extern "C" [[gnu::weak]] int __lsan_do_recoverable_leak_check();

int main(int count, char** arguments) {
  if (count != 3) return 2;
  if (strcmp(arguments[1], "only-in-register") == 0) only_in_register(arguments[2]);
  if (strcmp(arguments[1], "only-in-vector-register") == 0) only_in_vector_register(arguments[2]);
  if (strcmp(arguments[1], "main-has-ended") == 0) main_has_ended(arguments[2]);
  auto mode = modes.find(arguments[1]);
  if (mode == modes.end()) return 2;
  mode->second();
  wipe_stack();
  if (__lsan_do_recoverable_leak_check != nullptr) return __lsan_do_recoverable_leak_check() == 0 ? 0 : 1;
  stand_still(arguments[2]);
}
