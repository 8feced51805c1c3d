// No dynamic loader: nothing can be preloaded into it.
#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdio>

int main(int argc, char**) {
  for (int i = 0; i < 10; i++) {
    if (eventfd(0, 0) < 0) return 1;
  }
  char byte = 0;
  if (argc > 1 && read(0, &byte, 1) < 0) return 2;  // until it is let go
  std::puts("static and well");
  return 0;
}
