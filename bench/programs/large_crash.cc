// Fills so many MB of heap with blocks of all sizes, and dies by a wild pointer.
//   large_crash MB
#include <cstdlib>
#include <cstring>

int main(int argc, char** argv) {
  size_t left = (argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 1) << 20;
  for (unsigned i = 0; left != 0; ++i) {
    size_t size = 32 + i * 7919 % 8000;
    if (size > left) size = left;
    auto* block = static_cast<char*>(std::malloc(size));
    std::memset(block, static_cast<int>(i), size);
    left -= size;
  }
  auto* wild = reinterpret_cast<volatile int*>(0x12345678000);
  *wild = 1;
}
