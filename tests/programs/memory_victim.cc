// A process whose memory is recorded from some moment on, which knows whether anything went wrong in it.
//   memory_victim steps [N]   after each line one step, then says "done": makes 20 blocks in each of ten ways, of 7001
//   bytes
//                             by the first, 7002 by the second …; frees those; makes them again …; N: only the first N
//                             ways
//   memory_victim churn T     T threads that allocate, fill, grow, check and free at full speed until a line comes
//   memory_victim server      balanced work, and a leak of 42076 bytes in each of its rounds, until a line comes
//   memory_victim quiet       the same without the leak
//   memory_victim fork        after a line: a child that allocates as `steps` does, and ends; then says "done"
//   memory_victim handler     a signal handler (SIGUSR1) allocates nothing, but interrupts an allocating loop all the
//   time
// Prints "ready", and at the end "fine", or what was wrong.
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

struct __attribute__((packed)) Order {
  Order* next;
  char text[42076 - sizeof(Order*)];
};
Order* newest_order;  // a name that the console finds

namespace {

std::atomic<const char*> wrong = nullptr;
std::atomic<bool> is_over = false;

void expect(bool condition, const char* what) {
  if (!condition) wrong = what;
}

void say(const char* word) {
  std::string line = std::string(word) + "\n";
  if (write(1, line.data(), line.size()) < 0) _exit(3);
}

bool wait_for_line() {
  char byte = 0;
  while (read(0, &byte, 1) == 1)
    if (byte == '\n') return true;
  return false;
}

int finish() {
  say(wrong == nullptr ? "fine" : wrong.load());
  return wrong == nullptr ? 0 : 1;
}

constexpr int ways = 10, blocks_a_way = 20;
int ways_used = ways;
void* blocks[ways][blocks_a_way];

__attribute__((noinline)) void* made_in_way(int way) {
  const size_t size = 7001 + static_cast<size_t>(way);
  void* block = nullptr;
  switch (way) {
    case 0:
      return malloc(size);
    case 1:
      return calloc(1, size);
    case 2:
      return realloc(nullptr, size);
    case 3:
      return realloc(malloc(100), size);
    case 4:
      return memalign(64, size);
    case 5:
      return aligned_alloc(64, size);
    case 6:
      return posix_memalign(&block, 128, size) == 0 ? block : nullptr;
    case 7:
      return valloc(size);
    case 8:
      return pvalloc(size);
    default:
      return operator new(size);
  }
}

__attribute__((noinline)) void make_blocks() {
  for (int way = 0; way < ways_used; way++) {
    for (void*& block : blocks[way]) {
      block = made_in_way(way);
      expect(block != nullptr, "an allocation failed");
      memset(block, way, 7001);
    }
  }
}

__attribute__((noinline)) void free_blocks() {
  for (int way = 0; way < ways_used; way++) {
    for (void*& block : blocks[way]) {
      for (int i = 0; i < 7001; i++) expect(static_cast<char*>(block)[i] == way, "a block was overwritten");
      way == 9 ? operator delete(block) : free(block);
    }
  }
}

int steps() {
  say("ready");
  for (bool has_blocks = false; wait_for_line(); has_blocks = !has_blocks) {
    has_blocks ? free_blocks() : make_blocks();
    say("done");
  }
  return finish();
}

// Each block holds its own size everywhere; so nobody else may have written to it.
void churn() {
  std::vector<uint32_t*> mine(256);
  uint64_t random = reinterpret_cast<uint64_t>(&mine);
  while (!is_over) {
    random = random * 6364136223846793005 + 1442695040888963407;
    uint32_t*& block = mine[random >> 33 & 255];
    uint32_t words = 2 + (random >> 41 & 127);
    if (block != nullptr) {
      for (uint32_t i = 1; i < block[0]; i++) expect(block[i] == block[0], "a block was overwritten");
      if ((random >> 50 & 3) == 0) {
        block = static_cast<uint32_t*>(realloc(block, words * sizeof(uint32_t)));
      } else {
        free(block);
        block = nullptr;
        continue;
      }
    } else {
      const size_t size = words * sizeof(uint32_t);
      block = static_cast<uint32_t*>((random >> 50 & 1) != 0 ? malloc(size) : calloc(words, sizeof(uint32_t)));
    }
    for (uint32_t i = 0; i < words; i++) block[i] = words;
  }
  for (uint32_t* block : mine) free(block);
}

int churning(int count) {
  std::vector<std::thread> threads;
  for (int i = 0; i < count; i++) threads.emplace_back(churn);
  say("ready");
  wait_for_line();
  is_over = true;
  for (std::thread& thread : threads) thread.join();
  return finish();
}

__attribute__((noinline)) void remember_order() {
  auto* order = static_cast<Order*>(malloc(sizeof(Order)));
  order->next = newest_order;
  newest_order = order;
}

__attribute__((noinline)) void answer_request() {
  std::vector<std::string> words;
  for (int i = 0; i < 50; i++) words.push_back(std::string(static_cast<size_t>(40 + i), 'x'));
  expect(words.size() == 50, "an answer was wrong");
}

int serve(bool leaks) {
  std::thread server([&] {
    while (!is_over) {
      answer_request();
      if (leaks) remember_order();
      timespec time{0, 1'000'000};
      nanosleep(&time, nullptr);
    }
  });
  say("ready");
  wait_for_line();
  is_over = true;
  server.join();
  return finish();
}

int fork_after_line() {
  say("ready");
  while (wait_for_line()) {
    pid_t child = fork();
    if (child == 0) {
      make_blocks();
      free_blocks();
      _exit(wrong == nullptr ? 0 : 1);
    }
    int status = 0;
    waitpid(child, &status, 0);
    expect(status == 0, "the child failed");
    say("done");
  }
  return finish();
}

int interrupted() {
  static volatile sig_atomic_t count = 0;
  struct sigaction action {};
  action.sa_handler = [](int) { count = count + 1; };
  sigaction(SIGUSR1, &action, nullptr);
  std::thread worker(churn);
  pthread_t target = worker.native_handle();
  std::thread sender([&] {
    while (!is_over) pthread_kill(target, SIGUSR1), usleep(20);
  });
  say("ready");
  wait_for_line();
  is_over = true;
  sender.join();
  worker.join();
  return finish();
}

}  // namespace

int main(int argc, char** argv) {
  const std::string mode = argc > 1 ? argv[1] : "";
  if (mode == "steps" && argc == 3) ways_used = atoi(argv[2]);
  if (mode == "steps") return steps();
  if (mode == "churn" && argc == 3) return churning(atoi(argv[2]));
  if (mode == "server" || mode == "quiet") return serve(mode == "server");
  if (mode == "fork") return fork_after_line();
  if (mode == "handler") return interrupted();
  return 2;
}
