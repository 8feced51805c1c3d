// Makes heaps of known content, says what they are, and stands still. heap_victim MODE FILE: what it says goes to FILE,
// as lines "key value", when the heap is made.
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <string>
#include <thread>
#include <vector>

namespace {

// What was made: kept where malloc does not reach, so that saying it changes nothing.
struct Said {
  char text[1 << 16];
  size_t used = 0;
  template <typename... Values>
  void say(const char* format, Values... values) {
    used += static_cast<size_t>(snprintf(text + used, sizeof text - used, format, values...));
  }
};
Said* const said =
    static_cast<Said*>(mmap(nullptr, sizeof(Said), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));

// What malloc_info() says of each arena; with memory of its own, so that writing it changes nothing.
FILE* information = nullptr;
void open_information(const char* path) {
  static char buffer[1 << 16], name[4096];
  snprintf(name, sizeof name, "%s.arenas", path);
  information = fopen(name, "w");
  setvbuf(information, buffer, _IOFBF, sizeof buffer);
}

void say_totals() {
  malloc_info(0, information);
  fflush(information);
  const struct mallinfo2 info = mallinfo2();
  said->say(
      "arena %zu\nordblks %zu\nsmblks %zu\nhblks %zu\nhblkhd %zu\nfsmblks %zu\nuordblks %zu\nfordblks %zu\n"
      "keepcost %zu\n",
      info.arena, info.ordblks, info.smblks, info.hblks, info.hblkhd, info.fsmblks, info.uordblks, info.fordblks,
      info.keepcost);
}

// Nothing in here allocates. mallinfo2() does not come back from a list that leads in circles.
[[noreturn]] void stand_still(const char* path, bool with_totals = true) {
  if (with_totals) say_totals();
  char partial[4096];
  snprintf(partial, sizeof partial, "%s.partial", path);
  const int file = open(partial, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  write(file, said->text, said->used);
  close(file);
  rename(partial, path);
  for (;;) pause();
}

// The compiler knows malloc, and leaves out what nobody uses.
[[gnu::noinline]] char* make(size_t size) {
  char* block = static_cast<char*>(malloc(size));
  asm volatile("" : "+r"(block) : : "memory");
  return block;
}

uint64_t next_random(uint64_t& state) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state;
}

// Blocks of many sizes, every third freed again.
void fragment(uint64_t seed, size_t count, size_t largest) {
  std::vector<void*> blocks(count);
  for (void*& block : blocks) {
    const size_t size = 1 + next_random(seed) % largest;
    block = make(size);
    memset(block, 0x5a, size < 64 ? size : 64);
  }
  for (size_t i = 0; i < count; i += 3) free(blocks[i]);
}

void one_arena(const char* path) {
  fragment(88172645463325252, 20000, 3000);
  stand_still(path);
}

// Each thread in its own arena, all of them alive.
void arenas(size_t count, const char* path) {
  mallopt(M_ARENA_MAX, static_cast<int>(count));
  static pthread_barrier_t made;
  pthread_barrier_init(&made, nullptr, static_cast<unsigned>(count));
  for (size_t i = 1; i < count; ++i)
    std::thread([i] {
      fragment(12345 + i, 20000, 5000);
      pthread_barrier_wait(&made);
      for (;;) pause();
    }).detach();
  fragment(777, 5000, 1000);
  pthread_barrier_wait(&made);
  stand_still(path);
}

// An arena of several pieces of 64 MB.
void several_pieces(const char* path) {
  std::thread([] {
    for (int i = 0; i < 1500; ++i) make(100000);
    fragment(99, 30000, 8000);
    static std::atomic<bool> done;
    done = true;
    done.notify_all();
  }).join();
  stand_still(path);
}

void huge(const char* path) {
  said->say("huge_one %p\n", make(size_t{300} << 20));
  for (int i = 0; i < 20; ++i) make(200000 + 4096 * i);
  void* aligned = nullptr;
  if (posix_memalign(&aligned, size_t{1} << 20, size_t{2} << 20) == 0) said->say("aligned %p\n", aligned);
  free(make(size_t{30} << 20));
  stand_still(path);
}

// Exactly so many of each, and some that were freed.
void counted(const char* path) {
  for (int i = 0; i < 1234; ++i) make(42076);  // 0xa45c
  for (int i = 0; i < 777; ++i) make(5000);
  void* freed[50];
  for (void*& block : freed) block = make(9000);
  for (size_t i = 0; i < std::size(freed); i += 2) free(freed[i]);
  void* block = make(333);
  void* behind = make(334);
  void* last = make(42077);
  said->say("block %p\nusable %zu\nbehind %p\nlast %p\nusable_42076 %zu\n", block, malloc_usable_size(block), behind,
            last, malloc_usable_size(last));
  stand_still(path);
}

// A process that takes more from sbrk() than malloc does.
void foreign_sbrk(const char* path) {
  for (int i = 0; i < 100; ++i) make(1000);
  if (sbrk(8192) == reinterpret_cast<void*>(-1)) abort();
  for (int i = 0; i < 1000; ++i) make(1000);
  stand_still(path);
}

// As much as it may have, and malloc has said that there is no more.
void out_of_memory(const char* path) {
  fragment(4711, 3000, 5000);
  const rlimit limit{uint64_t{1} << 28, uint64_t{1} << 28};
  if (setrlimit(RLIMIT_AS, &limit) != 0) abort();
  for (size_t size = 100000; size > 16; size /= 2)
    while (make(size) != nullptr) {
    }
  stand_still(path);
}

[[gnu::noinline]] void overwrite(void* block, size_t size) {
  volatile char* bytes = static_cast<char*>(block);
  for (size_t i = 0; i < size; ++i) bytes[i] = 'A';
}

void overrun(const char* path) {
  void* first[3];
  for (int i = 0; i < 1000; ++i) make(100);
  for (void*& block : first) block = make(200);
  for (int i = 0; i < 1000; ++i) make(100);
  said->say("overrun %p\nbroken %p\n", first[1], first[2]);
  overwrite(first[1], 224);  // over the next block's header, and 8 bytes of it
  stand_still(path);
}

void loop_in_cache(const char* path) {
  char* first = make(40);
  char* second = make(40);
  const auto kept = reinterpret_cast<uint64_t>(second);
  free(first);
  free(second);
  // As a write to a freed block does: it leads to itself. (The compiler need not know.)
  volatile uint64_t position = kept;
  *reinterpret_cast<volatile uint64_t*>(position) = (position >> 12) ^ position;
  said->say("looped %#lx\n", position);
  stand_still(path);
}

void broken_top(const char* path) {
  void* last = make(100000);  // the rest of the memory follows
  overwrite(last, malloc_usable_size(last) + 8);
  said->say("last %p\n", last);
  stand_still(path);
}

// A list of many blocks in one bin, and in its middle one that leads to one far behind itself again.
void loop_in_bin(const char* path) {
  constexpr size_t count = 200;
  static void* blocks[2 * count];
  for (void*& block : blocks) block = make(3000);
  for (size_t i = 0; i < count; ++i) free(blocks[2 * i]);  // what lies between keeps them apart
  volatile uint64_t* middle = static_cast<uint64_t*>(blocks[count]);
  middle[0] = reinterpret_cast<uint64_t>(blocks[20]) - 16;
  said->say("looped %p\nleads_to %p\nbefore %p\nafter %p\n", blocks[count], blocks[20], blocks[count - 1],
            blocks[count + 1]);
  stand_still(path, false);
}

// Two neighbours in a bin lead to each other only, and those around them past them.
void ring_beside_bin(const char* path) {
  constexpr size_t count = 200;
  static uint64_t* blocks[2 * count];
  for (uint64_t*& block : blocks) block = reinterpret_cast<uint64_t*>(make(3000));
  for (size_t i = 0; i < count; ++i) free(blocks[2 * i]);
  auto link = [](volatile uint64_t* from, int back, uint64_t* to) { from[back] = reinterpret_cast<uint64_t>(to) - 16; };
  uint64_t *before = blocks[98], *first = blocks[100], *second = blocks[102], *behind = blocks[104];
  link(behind, 0, before);
  link(before, 1, behind);
  for (int back : {0, 1}) {
    link(first, back, second);
    link(second, back, first);
  }
  said->say("detached %p\nbefore %p\nafter %p\n", blocks[100], blocks[99], blocks[101]);
  stand_still(path);
}

void loop_in_fast_bin(const char* path) {
  void* blocks[20];
  for (void*& block : blocks) block = make(40);
  for (void* block : blocks) free(block);  // the first fill the cache
  const auto last = reinterpret_cast<uint64_t>(blocks[19]);
  volatile uint64_t position = last;
  *reinterpret_cast<volatile uint64_t*>(position) = (position >> 12) ^ (reinterpret_cast<uint64_t>(blocks[19]) - 16);
  said->say("looped %#lx\n", last);
  stand_still(path, false);
}

// As if the block before the rest of the memory were free.
void freed_top(const char* path) {
  void* last = make(100000);
  volatile uint64_t* top = reinterpret_cast<uint64_t*>(static_cast<char*>(last) + malloc_usable_size(last) - 8);
  said->say("last %p\n", last);
  top[1] = top[1] & ~uint64_t{1};
  stand_still(path);
}

void nonsense_mmapped(const char* path) {
  char* block = make(size_t{30} << 20);
  char* other = make(size_t{40} << 20);
  reinterpret_cast<volatile uint64_t*>(block)[-1] = 0x4141414141414142;
  said->say("broken %p\nwhole %p\n", block, other);
  stand_still(path);
}

const std::map<std::string, std::function<void(const char*)>> modes = {
    {"one-arena", one_arena},
    {"4-arenas", [](const char* path) { arenas(4, path); }},
    {"16-arenas", [](const char* path) { arenas(16, path); }},
    {"several-pieces", several_pieces},
    {"huge", huge},
    {"counted", counted},
    {"foreign-sbrk", foreign_sbrk},
    {"out-of-memory", out_of_memory},
    {"overrun", overrun},
    {"loop-in-cache", loop_in_cache},
    {"broken-top", broken_top},
    {"loop-in-bin", loop_in_bin},
    {"loop-in-fast-bin", loop_in_fast_bin},
    {"ring-beside-bin", ring_beside_bin},
    {"freed-top", freed_top},
    {"nonsense-mmapped", nonsense_mmapped},
};

}  // namespace

int main(int count, char** arguments) {
  if (count != 3 || !modes.contains(arguments[1])) return 2;
  open_information(arguments[2]);
  modes.at(arguments[1])(arguments[2]);
}
