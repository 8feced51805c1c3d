// What a server does with handles, in several threads: opens files of different names, reads folders, connects to itself,
// makes pipes and events, duplicates, closes in another order than it opened. Prints the number of handles made.
//   mixed_handles ROUNDS [THREADS]
#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

namespace {

std::atomic<long> made = 0;

// Handles that one piece of work holds; closed oldest first.
class Held {
 public:
  ~Held() {
    for (const int value : values_) ::close(value);
  }
  int keep(int value) {
    if (value >= 0) {
      values_.push_back(value);
      ++made;
    }
    return value;
  }

 private:
  std::vector<int> values_;
};

void read_files(long round) {
  static constexpr std::array paths = {"/etc/passwd",   "/etc/hosts",        "/proc/self/status", "/proc/self/maps",
                                       "/etc/services", "/proc/cpuinfo",     "/etc/nsswitch.conf", "/dev/zero",
                                       "/proc/stat",    "/proc/self/limits", "/proc/meminfo",      "/etc/group"};
  Held held;
  char text[256];
  for (long i = 0; i < 4; ++i) {
    const int value = held.keep(::open(paths[static_cast<size_t>(round * 4 + i) % paths.size()], O_RDONLY | O_CLOEXEC));
    if (value >= 0 && ::read(value, text, sizeof text) < 0) std::perror("read");
  }
}

void read_lines(const char* path) {
  std::FILE* file = std::fopen(path, "re");
  if (file == nullptr) return;
  ++made;
  char line[256];
  while (std::fgets(line, sizeof line, file) != nullptr) {
  }
  std::fclose(file);
}

void list_folder(const char* path) {
  DIR* folder = ::opendir(path);
  if (folder == nullptr) return;
  ++made;
  while (::readdir(folder) != nullptr) {
  }
  ::closedir(folder);
}

void talk_to_self(int listener, const sockaddr_in& address) {
  Held held;
  const int client = held.keep(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::connect(client, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return;
  const int server = held.keep(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
  if (::write(client, "ping", 4) != 4 || server < 0) std::perror("write");
}

void wait_for_events() {
  Held held;
  const int queue = held.keep(::epoll_create1(EPOLL_CLOEXEC));
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) == 0) {
    held.keep(ends[0]);
    held.keep(ends[1]);
  }
  const std::array sources = {ends[0], held.keep(::eventfd(0, EFD_CLOEXEC)),
                              held.keep(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC)),
                              held.keep(::fcntl(ends[0], F_DUPFD_CLOEXEC, 100)), held.keep(::dup(ends[1]))};
  epoll_event event{.events = EPOLLIN, .data = {}};
  for (const int source : sources) ::epoll_ctl(queue, EPOLL_CTL_ADD, source, &event);
}

void serve(long rounds) {
  Held held;
  const int listener = held.keep(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (::bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || ::listen(listener, 16) != 0 ||
      ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    std::perror("listen");
    return;
  }
  for (long round = 0; round < rounds; ++round) {
    read_files(round);
    if (round % 4 == 0) read_lines("/etc/passwd");
    if (round % 8 == 0) list_folder("/usr/share");
    if (round % 16 == 0) talk_to_self(listener, address);
    wait_for_events();
  }
}

}  // namespace

int main(int argc, char** argv) {
  const long rounds = argc > 1 ? std::atol(argv[1]) : 10'000;
  const long threads = argc > 2 ? std::atol(argv[2]) : 2;
  std::vector<std::thread> workers;
  for (long i = 0; i < threads; ++i) workers.emplace_back(serve, rounds);
  for (std::thread& worker : workers) worker.join();
  std::printf("%ld\n", made.load());
}
