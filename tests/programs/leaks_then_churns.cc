// leaks_then_churns GO PAIRS DONE: waits for the file GO, forgets five handles, opens and closes others PAIRS times,
// makes the file DONE, and waits to be killed. What a circular recording keeps of that are the five.
#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdlib>

__attribute__((noinline)) void forget_one() {
  if (eventfd(0, 0) < 0) _exit(1);
  asm volatile("" ::: "memory");
}

// The root folder by a name that is never the same, so that recordings of it grow.
__attribute__((noinline)) void open_and_close(unsigned long long random) {
  char path[130] = "/";
  char* end = path + 1;
  for (int bit = 0; bit < 64; bit++) {
    *end++ = random >> bit & 1 ? '.' : '/';
    *end++ = '/';
  }
  int fd = open(path, O_RDONLY);
  if (fd < 0) _exit(1);
  close(fd);
}

int main(int, char** arguments) {
  while (access(arguments[1], F_OK) != 0) usleep(1000);
  for (int i = 0; i < 5; i++) forget_one();
  long pairs = atol(arguments[2]);
  unsigned long long random = 88172645463325252ull;
  for (long i = 0; i < pairs; i++) {
    random ^= random << 13, random ^= random >> 7, random ^= random << 17;  // xorshift
    open_and_close(random);
  }
  int ready = open(arguments[3], O_CREAT | O_WRONLY, 0600);
  close(ready);
  for (;;) pause();
}
