// Loses its own file, then dies: by a null pointer in Till::add.
//   gone_program            removes the file
//   gone_program OTHER      puts the file OTHER in its place
#include <unistd.h>

#include <array>
#include <cstdio>
#include <string>

struct Bill {
  long number = 0, total = 0;
};

class Till {
 public:
  [[gnu::noinline]] void add(Bill* bill, long price) {
    sum_ += price;
    bill->total = price;  // dies
    asm volatile("");
  }

 private:
  long sum_ = 0;
};

int main(int count, char** arguments) {
  std::array<char, 4096> path{};
  if (readlink("/proc/self/exe", path.data(), path.size() - 1) <= 0) return 2;
  int lost = count > 1 ? std::rename(arguments[1], path.data()) : unlink(path.data());
  if (lost != 0) return 3;
  Bill* none = nullptr;
  asm volatile("" : "+r"(none));
  Till().add(none, count);
  return 4;  // not reached
}
