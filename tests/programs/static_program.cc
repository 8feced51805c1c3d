// No dynamic loader: nothing can be preloaded into it.
#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdio>

int main() {
  for (int i = 0; i < 10; i++) {
    if (eventfd(0, 0) < 0) return 1;
  }
  std::puts("static and well");
  return 0;
}
