// Built with GCC's AddressSanitizer, whose runtime insists on being the first library. Leaks five handles, ends with 7.
#include <sys/eventfd.h>

#include <cstdio>

int main() {
  for (int i = 0; i < 5; ++i) eventfd(0, EFD_CLOEXEC);
  std::puts("sanitized");
  return 7;
}
