// A program that touches no handles: sieves primes again and again. What does it pay for being watched?
// Prints seconds.
//   compute_loop ROUNDS
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

namespace {

[[gnu::noinline]] size_t primes_below(size_t limit) {
  std::vector<bool> composite(limit);
  size_t count = 0;
  for (size_t candidate = 2; candidate < limit; ++candidate) {
    if (composite[candidate]) continue;
    ++count;
    for (size_t multiple = candidate * candidate; multiple < limit; multiple += candidate) composite[multiple] = true;
  }
  return count;
}

}  // namespace

int main(int argc, char** argv) {
  const long rounds = argc > 1 ? std::atol(argv[1]) : 100;
  const auto begin = std::chrono::steady_clock::now();
  size_t sum = 0;
  for (long round = 0; round < rounds; ++round) sum += primes_below(1'000'000 + static_cast<size_t>(round));
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begin;
  std::printf("%.4f\n", taken.count());
  return sum > 0 ? 0 : 1;
}
