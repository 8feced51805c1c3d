// Works for a while and ends with a result that depends on all of its work: to be run while culprit is being hurt.
//   steady_worker ROUNDS [READY_FILE [GO_FILE]]: makes READY_FILE after a tenth of the rounds, then waits for GO_FILE.
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>

[[gnu::noinline]] int leak_of_worker() {
  int event = eventfd(0, EFD_CLOEXEC);
  return event < 0 ? -1 : 0;
}

[[gnu::noinline]] uint64_t one_round(uint64_t sum) {
  int file = open("/dev/zero", O_RDONLY | O_CLOEXEC);
  unsigned char byte = 1;
  if (file < 0 || read(file, &byte, 1) != 1) std::exit(3);
  close(file);
  return (sum ^ byte) * 0x100000001b3ull + 1;
}

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  long rounds = std::atol(argv[1]);
  uint64_t sum = 14695981039346656037ull;
  for (long round = 0; round < rounds; round++) {
    sum = one_round(sum);
    if (round % (rounds / 20 + 1) == 0 && leak_of_worker() != 0) return 1;
    if (round == rounds / 10 && argc > 2) {
      close(open(argv[2], O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
      struct stat unused;
      while (argc > 3 && stat(argv[3], &unused) != 0) usleep(1000);
    }
  }
  std::printf("result %016llx\n", static_cast<unsigned long long>(sum));
  return 5;
}
