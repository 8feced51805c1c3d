// Maps memory in every way, with numbers known beforehand. Each way keeps its mappings in a function of its own.
//
//   mapping_victim ways              mmap, munmap, mremap, brk, and what malloc maps for itself
//   mapping_victim threads N ROUNDS  N threads map and unmap at full speed; prints by how many bytes the mappings of the
//                                    process have grown meanwhile, as the kernel sees them
//   mapping_victim executes          keeps a mapping and executes `mapping_victim nothing`
//   mapping_victim forks             a child unmaps what it inherited, and keeps a mapping of its own
//   mapping_victim restricted        the break moves behind a seccomp filter
//   mapping_victim server            makes the file $READY, and keeps a mapping of 3 pages from time to time
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

#define APART __attribute__((noinline, noclone))

constexpr size_t page = 4096;
void* volatile sink;

// Inline, so that each way calls mmap itself, and is on the stack.
inline __attribute__((always_inline)) char* anonymous(size_t pages, int more_flags = 0) {
  void* mapped = mmap(nullptr, pages * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | more_flags, -1, 0);
  if (mapped == MAP_FAILED) abort();
  sink = mapped;
  return static_cast<char*>(mapped);
}
void unmap(char* start, size_t pages) {
  if (munmap(start, pages * page) != 0) abort();
}

APART void ways_mmap() {
  for (int i = 0; i < 7; ++i) anonymous(3);
  for (int i = 0; i < 3; ++i) unmap(anonymous(3), 3);
  sink = mmap(nullptr, page - 1, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);  // a whole page all the same
}
APART void ways_shared() { sink = mmap(nullptr, 2 * page, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0); }
APART void ways_file() {
  int file = open("/proc/self/exe", O_RDONLY);
  for (int i = 0; i < 2; ++i) sink = mmap(nullptr, page, PROT_READ, MAP_PRIVATE, file, 0);
  close(file);
}
APART void ways_stack() { anonymous(16, MAP_STACK | MAP_NORESERVE); }
APART void ways_partial() { unmap(anonymous(10) + 3 * page, 4); }
APART void ways_in_pieces() {
  char* start = anonymous(4);
  for (int i = 3; i >= 0; --i) unmap(start + i * page, 1);
}
APART void ways_over(char* over) {
  if (mmap(over, 3 * page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != over) abort();
}
APART char* ways_under() { return anonymous(8); }
APART void ways_grow() { sink = mremap(anonymous(2), 2 * page, 5 * page, MREMAP_MAYMOVE); }
APART void ways_shrink() { sink = mremap(anonymous(5), 5 * page, 2 * page, 0); }
APART char* ways_room() { return anonymous(6); }
APART void ways_move(char* room) {
  if (mremap(anonymous(4), 4 * page, 4 * page, MREMAP_MAYMOVE | MREMAP_FIXED, room) != room) abort();
}
APART void ways_refused() {
  if (munmap(reinterpret_cast<char*>(1), page) == 0) abort();
  if (mmap(nullptr, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED) abort();
  if (mremap(reinterpret_cast<char*>(page), page, 2 * page, 0) != MAP_FAILED) abort();
}
APART void ways_break() {
  if (sbrk(5 * page) == reinterpret_cast<void*>(-1)) abort();
  if (sbrk(-2 * static_cast<intptr_t>(page)) == reinterpret_cast<void*>(-1)) abort();
}
APART void ways_malloc() {
  for (int i = 0; i < 5; ++i) sink = malloc(size_t{1} << 20);
  sink = realloc(malloc(size_t{1} << 20), size_t{3} << 20);
  free(malloc(size_t{1} << 20));
}

int ways() {
  ways_mmap();
  ways_shared();
  ways_file();
  ways_stack();
  ways_partial();
  ways_in_pieces();
  ways_over(ways_under() + 2 * page);
  ways_grow();
  ways_shrink();
  ways_move(ways_room());
  ways_refused();
  ways_break();
  ways_malloc();
  return 0;
}

// All that is mapped, in bytes, without allocating.
uint64_t mapped_bytes() {
  static char text[1 << 20];
  int file = open("/proc/self/maps", O_RDONLY);
  size_t used = 0;
  for (ssize_t got; (got = read(file, text + used, sizeof text - 1 - used)) > 0;) used += static_cast<size_t>(got);
  close(file);
  text[used] = 0;
  uint64_t bytes = 0;
  for (char* line = text; *line != 0; line = strchr(line, '\n') + 1) {
    char* end;
    uint64_t start = strtoull(line, &end, 16);
    bytes += strtoull(end + 1, nullptr, 16) - start;
  }
  return bytes;
}

uint64_t rounds;
constexpr uint64_t kept_of = 64;  // one of so many stays, up to a number that the kernel allows
constexpr uint64_t most_kept = 500;

APART void* at_full_speed(void* number) {
  uint64_t random = reinterpret_cast<uint64_t>(number) + 1, kept = 0;
  for (uint64_t i = 0; i < rounds; ++i) {
    random = random * 6364136223846793005u + 1442695040888963407u;
    const size_t pages = 1 + (random >> 60);
    char* mapped = anonymous(pages);
    if (i % kept_of != 0 || kept++ >= most_kept)
      unmap(mapped, pages);
    else if (pages > 2)
      unmap(mapped + page, pages - 2);
  }
  return nullptr;
}

// What an agent maps for each of so many threads at once, it has when they have ended, and uses it again.
void* meet(void* barrier) {
  pthread_barrier_wait(static_cast<pthread_barrier_t*>(barrier));
  return nullptr;
}
void let_threads_be_known(int count) {
  static pthread_t made[64];
  alignas(64) static char stacks[64][64 << 10];  // libc keeps those that it maps
  pthread_barrier_t barrier;
  pthread_barrier_init(&barrier, nullptr, static_cast<unsigned>(count));
  for (int i = 0; i < count; ++i) {
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstack(&attributes, stacks[i], sizeof stacks[i]);
    if (pthread_create(&made[i], &attributes, meet, &barrier) != 0) abort();
  }
  for (int i = 0; i < count; ++i) pthread_join(made[i], nullptr);
}

APART int threads(int count) {
  static pthread_t made[64];
  let_threads_be_known(count);
  const uint64_t before = mapped_bytes();
  for (int i = 0; i < count; ++i)
    if (pthread_create(&made[i], nullptr, at_full_speed, reinterpret_cast<void*>(static_cast<intptr_t>(i))) != 0)
      abort();
  for (int i = 0; i < count; ++i) pthread_join(made[i], nullptr);
  printf("%lu\n", mapped_bytes() - before);
  return 0;
}

APART void kept_before_exec() { anonymous(9); }

APART char* kept_by_parent() { return anonymous(11); }
APART void kept_by_child() { anonymous(12); }
int forks() {
  char* inherited = kept_by_parent();
  if (pid_t child = fork(); child != 0) return waitpid(child, nullptr, 0) == child ? 0 : 1;
  unmap(inherited, 11);
  kept_by_child();
  return 0;
}

// A filter that allows everything: what the agent must not know.
int restricted() {
  sock_filter all[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  sock_fprog program{1, all};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
    return 1;
  ways_break();
  return 0;
}

APART void kept_by_server() { anonymous(3); }
int server() {
  close(open(getenv("READY"), O_CREAT | O_WRONLY, 0600));
  for (int i = 0; i < 20'000; ++i) {
    kept_by_server();
    sink = malloc(300'000);
    free(sink);
    usleep(2000);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const char* what = argc > 1 ? argv[1] : "";
  if (strcmp(what, "ways") == 0) return ways();
  if (strcmp(what, "threads") == 0 && argc == 4) {
    sink = malloc(100);  // its first memory comes before the count
    printf("%s", "");
    fflush(stdout);
    setvbuf(stdout, nullptr, _IONBF, 0);
    rounds = strtoull(argv[3], nullptr, 10);
    return threads(atoi(argv[2]));
  }
  if (strcmp(what, "forks") == 0) return forks();
  if (strcmp(what, "restricted") == 0) return restricted();
  if (strcmp(what, "server") == 0) return server();
  if (strcmp(what, "executes") == 0) {
    kept_before_exec();
    execl("/proc/self/exe", argv[0], "nothing", nullptr);
  }
  return 0;
}
