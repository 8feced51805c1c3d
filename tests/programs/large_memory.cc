// Writes so many MB of memory that no page is like another, and crashes.
//   large_memory MB
#include <cstdint>
#include <cstdlib>

int main(int count, char** words) {
  uint64_t megabytes = count > 1 ? std::strtoull(words[1], nullptr, 10) : 1;
  uint64_t size = megabytes << 20;
  auto* memory = static_cast<uint64_t*>(std::malloc(size));
  for (uint64_t i = 0; i < size / 8; ++i) memory[i] = i * 0x9e3779b97f4a7c15;
  volatile int* nowhere = nullptr;
  asm volatile("" : "+r"(nowhere) : "r"(memory) : "memory");
  *nowhere = 1;
}
