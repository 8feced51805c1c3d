// Threads open, close, duplicate and replace at full speed and reuse each other's numbers:  under_fire SECONDS
// [THREADS] Prints what really happened:
//   kind NAME CREATED CLOSED      replaced handles count as closed; the creating function is fire_<NAME>
//   open NUMBER KIND              what is left at the end
#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

namespace {

enum Kind : int { open_kind, eventfd_kind, dup_kind, replace_kind, fcntl_kind, pipe_kind, kind_count };
constexpr const char* kind_names[kind_count] = {"open", "eventfd", "dup", "replace", "fcntl", "pipe"};

struct Held {
  int number = -1;
  Kind kind = open_kind;
};

struct Counts {
  std::array<uint64_t, kind_count> created{}, closed{};
};

// Handles wait here for whichever thread takes them: most are closed by another thread than the one that made them.
std::array<std::atomic<uint64_t>, 64> exchange;
std::atomic<bool> enough = false;

uint64_t packed(Held held) {
  return uint64_t{1} << 63 | static_cast<uint64_t>(held.kind) << 32 | static_cast<uint32_t>(held.number);
}
Held unpacked(uint64_t word) { return {static_cast<int>(word & 0xffffffff), static_cast<Kind>(word >> 32 & 0xff)}; }

[[noreturn]] void broken(const char* what) {
  std::perror(what);
  std::_Exit(9);
}

int worked(int number, const char* what) {
  if (number < 0) broken(what);
  return number;
}

}  // namespace

extern "C" {
[[gnu::noinline]] int fire_open() { return worked(open("/dev/null", O_RDONLY | O_CLOEXEC), "open"); }
[[gnu::noinline]] int fire_eventfd() { return worked(eventfd(0, EFD_CLOEXEC), "eventfd"); }
[[gnu::noinline]] int fire_dup() { return worked(dup(2), "dup"); }
[[gnu::noinline]] int fire_replace(int old) { return worked(dup2(1, old), "dup2"); }
[[gnu::noinline]] int fire_fcntl() { return worked(fcntl(0, F_DUPFD_CLOEXEC, 64), "fcntl"); }
[[gnu::noinline]] void fire_pipe(int* ends) { worked(pipe2(ends, O_CLOEXEC), "pipe2"); }
}

namespace {

class Worker {
 public:
  explicit Worker(uint64_t seed) : random_(seed * 0x9e3779b97f4a7c15ull + 1) {}

  void run() {
    while (!enough.load(std::memory_order_relaxed)) {
      for (int i = 0; i < 64; i++) step();
    }
  }

  Counts counts;

 private:
  uint64_t random() {
    random_ ^= random_ << 13, random_ ^= random_ >> 7, random_ ^= random_ << 17;
    return random_ >> 11;
  }

  void hand_over(int number, Kind kind) {
    counts.created[kind]++;
    swap_in(packed({number, kind}));
  }

  // Puts `word` into a random place and closes what was there.
  void swap_in(uint64_t word) {
    uint64_t old = exchange[random() % exchange.size()].exchange(word);
    if (old == 0) return;
    Held held = unpacked(old);
    counts.closed[held.kind]++;
    if (close(held.number) != 0) broken("close");
  }

  void replace() {
    uint64_t old = exchange[random() % exchange.size()].exchange(0);
    if (old == 0) return;
    Held held = unpacked(old);
    counts.closed[held.kind]++;
    hand_over(fire_replace(held.number), replace_kind);
  }

  void step() {
    int ends[2];
    switch (random() % 7) {
      case 0:
        return hand_over(fire_open(), open_kind);
      case 1:
        return hand_over(fire_eventfd(), eventfd_kind);
      case 2:
        return hand_over(fire_dup(), dup_kind);
      case 3:
        return hand_over(fire_fcntl(), fcntl_kind);
      case 4:
        return replace();
      case 5:
        fire_pipe(ends);
        return hand_over(ends[0], pipe_kind), hand_over(ends[1], pipe_kind);
      default:
        return swap_in(0);
    }
  }

  uint64_t random_;
};

}  // namespace

int main(int argc, char** argv) {
  double seconds = argc > 1 ? std::atof(argv[1]) : 2;
  int thread_count = argc > 2 ? std::atoi(argv[2]) : 8;
  std::vector<Worker> workers;
  for (int i = 0; i < thread_count; i++) workers.emplace_back(static_cast<uint64_t>(i) + 1);
  std::vector<std::thread> threads;
  for (Worker& worker : workers) threads.emplace_back([&worker] { worker.run(); });
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  enough = true;
  for (std::thread& thread : threads) thread.join();
  for (int kind = 0; kind < kind_count; kind++) {
    uint64_t created = 0, closed = 0;
    for (Worker& worker : workers) {
      created += worker.counts.created[static_cast<size_t>(kind)];
      closed += worker.counts.closed[static_cast<size_t>(kind)];
    }
    std::printf("kind %s %llu %llu\n", kind_names[kind], static_cast<unsigned long long>(created),
                static_cast<unsigned long long>(closed));
  }
  for (auto& place : exchange) {
    if (uint64_t word = place.load())
      std::printf("open %d %s\n", unpacked(word).number, kind_names[unpacked(word).kind]);
  }
  return 0;
}
