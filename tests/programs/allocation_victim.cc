// Allocates in every way, with numbers known beforehand. Each way keeps its blocks in a function of its own.
//
//   allocation_victim ways                each function of the allocator, some blocks kept and some freed
//   allocation_victim threads N ROUNDS    N threads at full speed; blocks freed by other threads than made them, too
//   allocation_victim held N ROUNDS READY UNTIL
//                                         the same with blocks of 3000 bytes and more; then makes the file READY, and
//                                         waits until somebody writes to the FIFO UNTIL
//   allocation_victim grows               one function leaks steadily, one keeps what it made at the start
//   allocation_victim temporary           blocks freed at once, and blocks that are not
//   allocation_victim forks               a child frees what it inherited and keeps blocks of its own; another one
//   executes allocation_victim peak                a large amount for a while, a small one for good
//   allocation_victim message             says what the loader's last error was as it began, allocates one block
//   allocation_victim address             prints an address that lies in two blocks, one after the other
#include <dlfcn.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <new>
#include <thread>
#include <vector>

// C23's, which this libc may not have. Ours are called where they are there.
extern "C" void free_sized(void* block, size_t size) __attribute__((weak));
extern "C" void free_aligned_sized(void* block, size_t alignment, size_t size) __attribute__((weak));

namespace {

#define APART __attribute__((noinline, noclone))

constexpr int kept_by_each_way = 7;

// Where the compiler cannot tell that nobody looks.
void* volatile sink;
void* keep(void* block) {
  sink = block;
  return block;
}

template <typename Make>
void make_some(Make make) {
  for (int i = 0; i < kept_by_each_way; ++i) keep(make());
  for (int i = 0; i < 3; ++i) free(keep(make()));
}

APART void ways_malloc() {
  make_some([] { return malloc(101); });
}
APART void ways_calloc() {
  make_some([] { return calloc(3, 34); });
}
APART void ways_realloc() {
  make_some([] { return realloc(keep(malloc(10)), 103); });
}
APART void ways_realloc_anew() {
  make_some([] { return realloc(nullptr, 104); });
}
APART void ways_reallocarray() {
  make_some([] { return reallocarray(nullptr, 5, 21); });
}
APART void ways_memalign() {
  make_some([] { return memalign(64, 106); });
}
APART void ways_aligned_alloc() {
  make_some([] { return aligned_alloc(64, 128); });
}
APART void ways_posix_memalign() {
  make_some([] {
    void* block = nullptr;
    return posix_memalign(&block, 128, 108) == 0 ? block : nullptr;
  });
}
APART void ways_valloc() {
  make_some([] { return valloc(109); });
}
APART void ways_pvalloc() {
  make_some([] { return pvalloc(110); });
}
APART void ways_strdup() {  // allocates inside libc
  make_some([] { return static_cast<void*>(strdup("a text of 26 characters…")); });
}
APART void ways_new() {
  for (int i = 0; i < kept_by_each_way; ++i) keep(::operator new(111));
  for (int i = 0; i < 3; ++i) ::operator delete(keep(::operator new(111)));
}
APART void ways_new_array() {
  for (int i = 0; i < kept_by_each_way; ++i) keep(::operator new[](112));
  for (int i = 0; i < 3; ++i) ::operator delete[](keep(::operator new[](112)), size_t{112});
}
APART void ways_new_aligned() {
  for (int i = 0; i < kept_by_each_way; ++i) keep(::operator new(128, std::align_val_t{128}));
  for (int i = 0; i < 3; ++i) {
    void* block = keep(::operator new(128, std::align_val_t{128}));
    ::operator delete(block, std::align_val_t{128});
  }
}
APART void ways_sized_free() {
  make_some([] { return malloc(117); });
  for (int i = 0; i < 3; ++i) {
    void* block = keep(malloc(117));
    if (free_sized != nullptr) free_sized(block, 117);
    void* aligned = keep(aligned_alloc(64, 192));
    if (free_aligned_sized != nullptr) free_aligned_sized(aligned, 64, 192);
  }
}
APART void ways_failing() {  // nothing comes of these, and nothing goes
  volatile size_t too_much = SIZE_MAX / 2;
  keep(malloc(too_much));
  keep(calloc(too_much, 16));
  void* block = keep(malloc(115));
  keep(realloc(block, too_much));
  free(nullptr);
}

int ways() {
  ways_malloc();
  ways_calloc();
  ways_realloc();
  ways_realloc_anew();
  ways_reallocarray();
  ways_memalign();
  ways_aligned_alloc();
  ways_posix_memalign();
  ways_valloc();
  ways_pvalloc();
  ways_strdup();
  ways_new();
  ways_new_array();
  ways_new_aligned();
  ways_sized_free();
  ways_failing();
  return 0;
}

// Blocks handed from thread to thread.
constexpr size_t exchange_size = 64;
std::atomic<void*> exchange[exchange_size];

// Of every 16 blocks 1 is kept, 5 are freed by whoever comes next, the others at once.
APART void churn(unsigned seed, unsigned rounds, size_t least) {
  for (unsigned i = 0; i < rounds; ++i) {
    seed = seed * 1103515245 + 12345;
    const size_t size = least + (seed >> 16) % 400;
    void* block = malloc(size);
    if (i % 16 == 0) {
      keep(block);
    } else if (i % 16 < 6) {
      free(exchange[(seed >> 20) % exchange_size].exchange(block));
    } else {
      free(block);
    }
  }
}

int threads(unsigned count, unsigned rounds, size_t least = 16) {
  std::vector<std::thread> all;
  for (unsigned i = 0; i < count; ++i) all.emplace_back(churn, i * 7919, rounds, least);
  for (std::thread& thread : all) thread.join();
  for (auto& place : exchange) free(place.exchange(nullptr));
  return 0;
}

int held(char** words) {
  threads(static_cast<unsigned>(atoi(words[2])), static_cast<unsigned>(atoi(words[3])), 3000);
  close(open(words[4], O_CREAT | O_WRONLY, 0600));
  close(open(words[5], O_RDONLY));  // waits for one that writes
  return 0;
}

void pause_ms(long milliseconds) {
  timespec time{0, milliseconds * 1000000};
  nanosleep(&time, nullptr);
}

APART void leak_steadily() { keep(malloc(1000)); }
APART void hold_from_start() { keep(malloc(5000)); }

int grows() {
  for (int i = 0; i < 50; ++i) hold_from_start();
  for (int i = 0; i < 200; ++i) {
    leak_steadily();
    pause_ms(2);
  }
  return 0;
}

APART void temporarily() { free(keep(malloc(48))); }
APART void for_a_while() {
  void* one = keep(malloc(32));
  void* other = keep(malloc(32));
  free(one);
  free(other);
}

int temporary() {
  for (int i = 0; i < 1000; ++i) temporarily();
  for (int i = 0; i < 500; ++i) for_a_while();  // the second of each is temporary, the first is not
  return 0;
}

APART void child_keeps() { keep(malloc(3000)); }
APART void parent_keeps() { keep(malloc(2000)); }

int forks(const char* self) {
  void* inherited[10];
  for (void*& block : inherited) block = keep(malloc(70));
  pid_t child = fork();
  if (child == 0) {
    for (void* block : inherited) free(block);
    for (int i = 0; i < 4; ++i) child_keeps();
    exit(0);
  }
  waitpid(child, nullptr, 0);
  child = fork();
  if (child == 0) {
    for (int i = 0; i < 6; ++i) child_keeps();  // gone with the exec
    execl(self, self, "temporary", nullptr);
    _exit(1);
  }
  waitpid(child, nullptr, 0);
  for (int i = 0; i < 5; ++i) parent_keeps();
  for (void* block : inherited) free(block);
  return 0;
}

APART void* lives_first() { return keep(malloc(1230)); }
APART void* lives_again() { return keep(malloc(1234)); }

// Says where two blocks lay, one after the other: their sizes are one to malloc.
int address() {
  void* volatile first = lives_first();
  free(first);
  const auto again = reinterpret_cast<uintptr_t>(lives_again());
  if (again != reinterpret_cast<uintptr_t>(first)) return 1;
  printf("0x%zx", again + 100);
  first = nullptr;
  return 0;
}

APART void large_for_a_while(std::vector<void*>& blocks) {
  for (int i = 0; i < 20; ++i) blocks.push_back(malloc(100000));
}
APART void small_for_good() { keep(malloc(1500)); }

int peak() {
  std::vector<void*> blocks;
  blocks.reserve(20);
  for (int i = 0; i < 10; ++i) small_for_good();
  large_for_a_while(blocks);
  for (void* block : blocks) free(block);
  for (int i = 0; i < 10; ++i) small_for_good();
  return 0;
}

int message() {
  const char* error = dlerror();
  const ssize_t written = error == nullptr ? write(1, "none", 4) : write(1, error, strlen(error));
  small_for_good();
  return written < 0;
}

}  // namespace

int main(int count, char** words) {
  const char* way = count > 1 ? words[1] : "";
  if (strcmp(way, "ways") == 0) return ways();
  if (strcmp(way, "threads") == 0 && count == 4)
    return threads(static_cast<unsigned>(atoi(words[2])), static_cast<unsigned>(atoi(words[3])));
  if (strcmp(way, "held") == 0 && count == 6) return held(words);
  if (strcmp(way, "grows") == 0) return grows();
  if (strcmp(way, "temporary") == 0) return temporary();
  if (strcmp(way, "forks") == 0) return forks(words[0]);
  if (strcmp(way, "peak") == 0) return peak();
  if (strcmp(way, "address") == 0) return address();
  if (strcmp(way, "message") == 0) return message();
  fprintf(stderr,
          "usage: allocation_victim ways|threads N ROUNDS|held N ROUNDS READY UNTIL|grows|temporary|forks|peak|address|"
          "message\n");
  return 2;
}
